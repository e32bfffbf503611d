/* Reads a sample from a line of standard input: numbers between blanks. */
#ifndef QNN_READING_H
#define QNN_READING_H

#include <errno.h>
#include <float.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 63 /* characters of a number */

static int is_blank(int c) { return c == ' ' || c == '\t' || c == '\r'; }

/* The next word of a line, cut off after LONGEST characters; its length, 0 at the end of the line.
 * What comes after the word is in `after`. */
static size_t next_word(char *word, int *after) {
    size_t length = 0;
    int c = *after;
    while (is_blank(c))
        c = getchar();
    for (; c != EOF && c != '\n' && !is_blank(c) && length <= LONGEST; c = getchar())
        word[length++] = (char)c;
    word[length] = 0;
    *after = c;
    return length;
}

/* Neither a zero byte nor nan, infinity or a hexadecimal number passes. */
static int read_whole(const char *word, size_t length, int32_t *value, long least, long most) {
    char *end;
    long long found;
    errno = 0;
    found = strtoll(word, &end, 10);
    *value = (int32_t)found;
    return strspn(word, "+-0123456789") == length && end == word + length && !errno &&
           found >= least && found <= most;
}

static int read_real(const char *word, size_t length, float *value) {
    char *end;
    *value = strtof(word, &end);
    return strspn(word, "+-.0123456789eE") == length && end == word + length &&
           *value >= -FLT_MAX && *value <= FLT_MAX;
}

/* One line of `count` numbers into `real`, or where that is NULL, from least to most, into `whole`:
 * 1 if it is a sample, 0 at the end of the input, -1 after an error that was told. */
static int read_line(unsigned long line, unsigned long count, float *real, int32_t *whole,
                     long least, long most) {
    char word[LONGEST + 2];
    size_t length;
    unsigned long i = 0;
    int after = getchar();
    if (after == EOF && !ferror(stdin))
        return 0;
    while ((length = next_word(word, &after)) > 0) {
        if (i == count || length > LONGEST ||
            !(real ? read_real(word, length, &real[i])
                   : read_whole(word, length, &whole[i], least, most)))
            break;
        i++;
    }
    if (ferror(stdin))
        fprintf(stderr, "line %lu: standard input cannot be read\n", line);
    else if (i == count && length > 0)
        fprintf(stderr, "line %lu: expected %lu numbers, found more\n", line, i);
    else if (length > 0 && real)
        fprintf(stderr, "line %lu, number %lu: expected a finite number of single precision\n",
                line, i + 1);
    else if (length > 0)
        fprintf(stderr, "line %lu, number %lu: expected a whole number from %ld to %ld\n", line,
                i + 1, least, most);
    else if (i < count)
        fprintf(stderr, "line %lu: expected %lu numbers, found %lu\n", line, count, i);
    else
        return 1;
    return -1;
}

#endif
