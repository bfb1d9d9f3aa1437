// What Glibc hides from Swift behind _GNU_SOURCE.
#ifndef VIFI_PROCESSORS_H
#define VIFI_PROCESSORS_H

// Fills `numbers` with the processors in this process's affinity mask, `capacity` at most, in ascending order. Returns
// how many there are; 0 where the mask cannot be read.
int vifi_allowed_processors(int *numbers, int capacity);

#endif
