#ifndef VIFI_CKERNELS_H
#define VIFI_CKERNELS_H

#include "image.h"
#include "processors.h"
#include "transformer.h"

#endif
