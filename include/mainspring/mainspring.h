// The umbrella: everything a host needs to open a model and get text, logits or a graph's tensors. See model.h, session.h, tensor.h, text.h;
// tensor_file.h (tensors in files) and ext/ (operators and providers of one's own) are apart.
#pragma once

#include "mainspring/context.h"
#include "mainspring/model.h"
#include "mainspring/result.h"
#include "mainspring/session.h"
#include "mainspring/tensor.h"
#include "mainspring/text.h"
#include "mainspring/types.h"
#include "mainspring/version.h"
