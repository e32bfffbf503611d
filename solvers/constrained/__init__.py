"""Weight search under constraints: once all of them hold, no step violates one."""
