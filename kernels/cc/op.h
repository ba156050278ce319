// What every op of this folder needs of TensorFlow.

#ifndef DMF_KERNELS_OP_H_
#define DMF_KERNELS_OP_H_

#include <cstdint>

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/util/work_sharder.h"

namespace dmf {

using tensorflow::OpInputList;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::OpOutputList;
using tensorflow::Status;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::errors::InvalidArgument;
using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// Of multiplicative hashes, as in features/ids/hashing.py.
constexpr uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;

// Shares `units` out to TensorFlow's threads, each by calls of `work(begin, end)`.
//
// `cost` is about the number of cycles of a unit. Units must not depend on each other, and none on
// which thread takes it.
template <typename Work>
void Share(OpKernelContext* context, int64_t units, int64_t cost, const Work& work) {
  const auto& threads = *context->device()->tensorflow_cpu_worker_threads();
  tensorflow::Shard(threads.num_threads, threads.workers, units, cost, work);
}

}  // namespace dmf

#endif  // DMF_KERNELS_OP_H_
