// The umbrella: everything a host needs to open a model and get text or logits. See model.h, session.h, text.h.
#pragma once

#include "mainspring/context.h"
#include "mainspring/model.h"
#include "mainspring/result.h"
#include "mainspring/session.h"
#include "mainspring/tensor.h"
#include "mainspring/text.h"
#include "mainspring/types.h"
#include "mainspring/version.h"
