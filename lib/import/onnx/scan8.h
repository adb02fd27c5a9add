// Scan of opset 8, which ran each item of a batch by itself: today's Scan over the batch with today's Scan in its body.
#pragma once

#include "import/onnx/upgrade.h"

namespace mainspring::inline v0::onnx {

/// Errors: unsupported (lengths that differ within the batch).
Result<void> scan_batches(Upgrading& u);

}  // namespace mainspring::inline v0::onnx
