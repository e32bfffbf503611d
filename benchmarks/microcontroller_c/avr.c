/* On an AVR in simavr: "= stack fine coarse outputs class" of each sample, by the serial port.
 * Timer 1 counts a call twice: every cycle modulo 65,536, and every 1,024 cycles. */
#include <avr/io.h>
#include <avr/interrupt.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>

#include "network.h"

static const network_number samples[COUNT][NETWORK_NUMBERS] PROGMEM =
#include "samples.h"
    ;

static network_number sample[NETWORK_NUMBERS];
extern uint8_t __bss_end;

static void put(char letter) {
    loop_until_bit_is_set(UCSR0A, UDRE0);
    UDR0 = (uint8_t)letter;
}

#include "harness.h"

static __attribute__((noinline)) unsigned nothing(const network_number *unused) {
    __asm__ volatile("" : : "r"(unused));
    return 0;
}

/* Ticks of the timer for a call, with the prescaler that the bits choose. */
static __attribute__((noinline)) unsigned timed(unsigned (*call)(const network_number *),
                                                uint8_t prescaler) {
    TCCR1B = 0;
    TCNT1 = 0;
    TCCR1B = prescaler;
    call(sample);
    const unsigned ticks = TCNT1;
    TCCR1B = 0;
    return ticks;
}

int main(void) {
    UCSR0B = _BV(TXEN0);
    for (unsigned i = 0; i < COUNT; i++) {
        memcpy_P(sample, samples[i], sizeof sample);
        uint8_t *const low = &__bss_end;
        const uint16_t top = SP;
        for (volatile uint8_t *at = low; (uint16_t)at <= top; at++)
            *at = 0xa5;
        const unsigned class = network_class(sample);
        const volatile uint8_t *at = low;
        while ((uint16_t)at <= top && *at == 0xa5)
            at++;
        const unsigned stack = top + 1 - (uint16_t)at;
        const unsigned fine = timed(network_class, 1) - timed(nothing, 1);
        answer(stack, fine, timed(network_class, 5), sample, class);
    }
    cli();
    sleep_enable();
    sleep_cpu();
}
