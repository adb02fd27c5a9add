// Binders of the tensor operators (named as in ONNX) that move, gather, reduce, norm, pool and resize: extents are constants, operands dense.
// Common to all: see bind.h. What a kernel does not do runs the operator's reference.
#pragma once

#include "cpu/binding.h"

namespace mainspring::inline v0::cpu {

// tensor_move.cpp
Result<KernelBinding> bind_copy(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_transpose(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_concat_split(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_strided_slice(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_repeat(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_pad(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_depth_space(const BindRequest& request, IsaSet isa);
// tensor_gather.cpp
Result<KernelBinding> bind_gather(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_gather_nd(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_gather_elements(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_scatter_nd(const BindRequest& request, IsaSet isa);
// tensor_reduce.cpp
Result<KernelBinding> bind_reduce(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_arg_extreme(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_axis_softmax(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_cum_sum(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_top_k(const BindRequest& request, IsaSet isa);
// tensor_norm.cpp
Result<KernelBinding> bind_tensor_norm(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_channel_norm(const BindRequest& request, IsaSet isa);
// tensor_resize.cpp, tensor_pool.cpp
Result<KernelBinding> bind_resize(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_pool(const BindRequest& request, IsaSet isa);

}  // namespace mainspring::inline v0::cpu
