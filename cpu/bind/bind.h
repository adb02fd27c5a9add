// Binders of the CPU provider. In: a node with its operands (BindRequest) and the instruction sets that may be used. Out: a KernelBinding, or
// `unsupported` with the reason, upon which the node runs its operator's reference. cpu/binders.inc says which op calls which.
//
// Common to all: f32 unless the operator says otherwise; rows may lie a stride apart; extents other than the first must be constant.
// Steps neither allocate nor call the system, and a row's bits depend on that row alone.
#pragma once

#include "cpu/binding.h"

namespace mainspring::inline v0::cpu {

// embed.cpp
Result<KernelBinding> bind_embed(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_gather_rows(const BindRequest& request, IsaSet isa);
// linear.cpp, head_linear and moe_linear among them: see linear.h
Result<KernelBinding> bind_linear(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_head_linear(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_moe_linear(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_glu_linear_quant(const BindRequest& request, IsaSet isa);  // glu_linear.cpp
Result<KernelBinding> bind_quantize_rows(const BindRequest& request, IsaSet isa);
// norm.cpp; the _quant forms write q8_rows, the same bits as the op followed by quantize_rows
Result<KernelBinding> bind_rms_norm(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_layer_norm(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_l2_norm(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_rms_norm_quant(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_rms_norm_add_quant(const BindRequest& request, IsaSet isa);  // rms_norm with a residual, then rms_norm_quant of the sum
// elementwise.cpp
Result<KernelBinding> bind_binary(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_unary(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_glu(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_glu_quant(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_attn_temperature(const BindRequest& request, IsaSet isa);
// copies.cpp: what the planner could not alias
Result<KernelBinding> bind_slice(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_reshape(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_concat(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_repeat_heads(const BindRequest& request, IsaSet isa);
// softmax.cpp, moe.cpp
Result<KernelBinding> bind_softmax(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_moe_route(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_moe_combine(const BindRequest& request, IsaSet isa);
// products and attention of graphs: constant extents
Result<KernelBinding> bind_matmul(const BindRequest& request, IsaSet isa);  // matmul.cpp
Result<KernelBinding> bind_block_linear(const BindRequest& request, IsaSet isa);  // block_linear.cpp
Result<KernelBinding> bind_attend(const BindRequest& request, IsaSet isa);  // attend.cpp
// attention and recurrent kernels
Result<KernelBinding> bind_attention(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_kv_store(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_rope_kv_store(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_rope(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_causal_conv(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_ssm_scan(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_gated_delta(const BindRequest& request, IsaSet isa);
// conv.cpp: see conv.h
Result<KernelBinding> bind_conv(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_conv_transpose(const BindRequest& request, IsaSet isa);
// rnn.cpp: recurrent networks of ONNX
Result<KernelBinding> bind_lstm(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_gru(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_rnn(const BindRequest& request, IsaSet isa);
// igemm.cpp: products of bytes
Result<KernelBinding> bind_matmul_integer(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_qlinear_matmul(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_matmul_integer_to_float(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_dynamic_quantize_matmul(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_qgemm(const BindRequest& request, IsaSet isa);
// igemm_conv.cpp, rnn_quantized.cpp, quantize.cpp
Result<KernelBinding> bind_conv_integer(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_qlinear_conv(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_int8_conv(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_dynamic_quantize_lstm(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_quantize_linear(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_dequantize_linear(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_dynamic_quantize_linear(const BindRequest& request, IsaSet isa);

// tensor operators (named as in ONNX): extents are constants, operands dense. tensor_chain.cpp
Result<KernelBinding> bind_chain(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_elementwise(const BindRequest& request, IsaSet isa);
Result<KernelBinding> bind_batch_normalization(const BindRequest& request, IsaSet isa);

}  // namespace mainspring::inline v0::cpu
