// DmfNewestCodes: a window of each candidate's similarity codes.

#include <cstdint>
#include <cstring>

#include "op.h"

namespace dmf {
namespace {

REGISTER_OP("DmfNewestCodes")
    .Input("codes: uint8")
    .Input("start: int32")
    .Input("kept: int32")
    .Output("newest: uint8")
    .SetShapeFn([](InferenceContext* context) {
      ShapeHandle codes;
      TF_RETURN_IF_ERROR(context->WithRank(context->input(0), 3, &codes));
      context->set_output(0, context->MakeShape({context->Dim(codes, 0), context->Dim(codes, 1),
                                                 context->UnknownDim()}));
      return tensorflow::OkStatus();
    })
    .Doc(R"doc(
Copies `kept` codes of each candidate, from its request's `start` on.

codes: `[R, C, L]`.
start: `[R]`, from 0 to `L - kept`.
kept: W, at most L.
newest: `[R, C, W]`.
)doc");

class NewestCodesOp : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor& codes = context->input(0);
    const Tensor& start = context->input(1);
    OP_REQUIRES(context, codes.dims() == 3 && context->input(2).NumElements() == 1 &&
                             start.shape() == TensorShape({codes.dim_size(0)}),
                InvalidArgument("Expected codes [R, C, L], start [R] and one kept, received ",
                                codes.shape().DebugString(), ", ", start.shape().DebugString()));
    const int64_t requests = codes.dim_size(0), rows = codes.dim_size(1);
    const int64_t length = codes.dim_size(2), kept = context->input(2).flat<int32_t>()(0);
    const int32_t* first = start.flat<int32_t>().data();
    for (int64_t r = 0; r < requests; ++r) {
      OP_REQUIRES(context, kept >= 0 && first[r] >= 0 && first[r] + kept <= length,
                  InvalidArgument("start[", r, "] is ", first[r], ", and ", kept, " of ", length,
                                  " codes are wanted."));
    }
    Tensor* newest = nullptr;
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, TensorShape({requests, rows, kept}), &newest));
    if (newest->NumElements() == 0) return;
    const auto* from = codes.flat<tensorflow::uint8>().data();
    auto* to = newest->flat<tensorflow::uint8>().data();
    auto work = [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        std::memcpy(to + row * kept, from + row * length + first[row / rows], kept);
      }
    };
    Share(context, requests * rows, 20 + kept / 8, work);
  }
};

REGISTER_KERNEL_BUILDER(Name("DmfNewestCodes").Device(tensorflow::DEVICE_CPU), NewestCodesOp);

}  // namespace
}  // namespace dmf
