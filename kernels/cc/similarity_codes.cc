// DmfSimilarityCodes: the similarity code of every pair, by exact products of bytes.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "instruction_sets.h"
#include "op.h"

namespace dmf {
namespace {

// The behaviors of one request as the loops read them, with zeros up to a whole block.
//
// Attributes:
//   bytes: of a block of kLanes behaviors, of a group of kGroup numbers of a vector, the numbers of
//     each behavior side by side.
//   start: what the products' sums begin with.
//   norms: of the behaviors.
struct Packed {
  std::vector<int8_t> bytes;
  std::vector<int32_t> start;
  std::vector<float> norms;
};

#define DMF_LOOPS "similarity_codes.inc"
#include "each_instruction_set.inc"
#undef DMF_LOOPS

// Candidates of one unit of work: enough to pay for packing the behaviors, few enough to share.
constexpr int64_t kChunk = 64;

REGISTER_OP("DmfSimilarityCodes")
    .Input("candidates: int8")
    .Input("candidate_norms: float")
    .Input("behaviors: int8")
    .Input("behavior_norms: float")
    .Output("codes: uint8")
    .SetShapeFn([](InferenceContext* context) {
      ShapeHandle candidates, behaviors;
      TF_RETURN_IF_ERROR(context->WithRank(context->input(0), 3, &candidates));
      TF_RETURN_IF_ERROR(context->WithRank(context->input(2), 3, &behaviors));
      context->set_output(
          0, context->MakeShape({context->Dim(candidates, 0), context->Dim(candidates, 1),
                                 context->Dim(behaviors, 1)}));
      return tensorflow::OkStatus();
    })
    .Doc(R"doc(
Similarity codes of every pair of a request, equal to `similarity.codes` bit for bit.

candidates: `[R, C, M]`.
candidate_norms: `[R, C]`, 0 where there is no vector.
behaviors: `[R, L, M]`.
behavior_norms: `[R, L]`.
codes: `[R, C, L]`.
)doc");

class SimilarityCodesOp : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor& candidates = context->input(0);
    const Tensor& candidate_norms = context->input(1);
    const Tensor& behaviors = context->input(2);
    const Tensor& behavior_norms = context->input(3);
    OP_REQUIRES(context, candidates.dims() == 3 && behaviors.dims() == 3 &&
                             candidates.dim_size(0) == behaviors.dim_size(0) &&
                             candidates.dim_size(2) == behaviors.dim_size(2),
                InvalidArgument(
                    "Expected candidates [R, C, M] and behaviors [R, L, M], received ",
                    candidates.shape().DebugString(), " and ", behaviors.shape().DebugString()));
    const int64_t requests = candidates.dim_size(0), count = candidates.dim_size(1);
    const int64_t length = behaviors.dim_size(1), width = candidates.dim_size(2);
    OP_REQUIRES(context, candidate_norms.shape() == TensorShape({requests, count}) &&
                             behavior_norms.shape() == TensorShape({requests, length}),
                InvalidArgument(
                    "Expected norms [R, C] and [R, L], received ",
                    candidate_norms.shape().DebugString(), " and ",
                    behavior_norms.shape().DebugString()));
    // 128 * 255 * width has to fit int32.
    OP_REQUIRES(context, width <= 65536,
                InvalidArgument("Vectors have ", width,
                                                    " numbers, at most 65536 are exact."));
    Tensor* codes = nullptr;
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, TensorShape({requests, count, length}), &codes));
    if (codes->NumElements() == 0) return;
    const auto* a = candidates.flat<tensorflow::int8>().data();
    const auto* b = behaviors.flat<tensorflow::int8>().data();
    const float* a_norms = candidate_norms.flat<float>().data();
    const float* b_norms = behavior_norms.flat<float>().data();
    auto* found = codes->flat<tensorflow::uint8>().data();
    const int64_t chunks = (count + kChunk - 1) / kChunk;
    auto work = [&](int64_t begin, int64_t end) {
      Packed packed;
      int64_t packed_of = -1;
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t request = unit / chunks, first = unit % chunks * kChunk;
        const int64_t rows = std::min(kChunk, count - first);
        if (packed_of != request) {
          DMF_DISPATCH(Pack, b + request * length * width, b_norms + request * length, length,
                       width, &packed)
          packed_of = request;
        }
        const int64_t row = request * count + first;
        DMF_DISPATCH(Rows, a + row * width, a_norms + row, rows, width, packed, length,
                     found + row * length)
      }
    };
    const int64_t cost = std::min(kChunk, count) * length * (width / 8 + 10);
    Share(context, requests * chunks, cost, work);
  }
};

REGISTER_KERNEL_BUILDER(Name("DmfSimilarityCodes").Device(tensorflow::DEVICE_CPU),
                        SimilarityCodesOp);

}  // namespace
}  // namespace dmf
