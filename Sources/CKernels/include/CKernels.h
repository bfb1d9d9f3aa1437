#ifndef VIFI_CKERNELS_H
#define VIFI_CKERNELS_H

#include "transformer.h"

#endif
