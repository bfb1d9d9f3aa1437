#define _GNU_SOURCE
#include "processors.h"

#if defined(__linux__)
#include <sched.h>

int vifi_allowed_processors(int *numbers, int capacity) {
    cpu_set_t mask;
    if (sched_getaffinity(0, sizeof mask, &mask) != 0) return 0;
    int count = 0;
    for (int number = 0; number < CPU_SETSIZE && count < capacity; number++)
        if (CPU_ISSET(number, &mask)) numbers[count++] = number;
    return count;
}
#else
int vifi_allowed_processors(int *numbers, int capacity) {
    (void)numbers, (void)capacity;
    return 0;
}
#endif
