// What Glibc hides from Swift behind _GNU_SOURCE.
#ifndef VIFI_PROCESSORS_H
#define VIFI_PROCESSORS_H

// Processors in this process's affinity mask; 0 where it cannot be read.
int vifi_allowed_processors(void);

#endif
