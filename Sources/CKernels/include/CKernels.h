#ifndef VIFI_CKERNELS_H
#define VIFI_CKERNELS_H

#include "bfloat16.h"
#include "convert.h"
#include "explain.h"
#include "image.h"
#include "int8.h"
#include "picture.h"
#include "processors.h"
#include "transformer.h"

#endif
