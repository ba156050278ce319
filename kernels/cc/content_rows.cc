// DmfContentRows: the quantized vectors of items, looked up by id in a hash index.

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "op.h"

namespace dmf {
namespace {

constexpr int64_t kAhead = 8;                           // Items whose memory is asked for early.

REGISTER_OP("DmfContentRows")
    .Attr("longest: int >= 1")
    .Input("item_ids: int64")
    .Input("indexed: int64")
    .Input("starts: int32")
    .Input("vectors: int8")
    .Input("norms: float")
    .Output("quantized: int8")
    .Output("found_norms: float")
    .SetShapeFn([](InferenceContext* context) {
      ShapeHandle vectors, quantized;
      TF_RETURN_IF_ERROR(context->WithRank(context->input(3), 2, &vectors));
      TF_RETURN_IF_ERROR(context->Concatenate(context->input(0),
                                              context->Vector(context->Dim(vectors, 1)),
                                              &quantized));
      context->set_output(0, quantized);
      context->set_output(1, context->input(0));
      return tensorflow::OkStatus();
    })
    .Doc(R"doc(
Vectors and norms of items; see `features.ids.id_index` for the index.

item_ids: of any shape.
indexed: `[N]` ids in the order of the index.
starts: `[B]`, B a power of two from 2 on.
vectors: `[N + 1, M]`; the last row is that of ids which are not there.
norms: `[N + 1]`.
longest: of the index.
quantized: `[..., M]`.
found_norms: `[...]`.
)doc");

class ContentRowsOp : public tensorflow::OpKernel {
 public:
  explicit ContentRowsOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("longest", &longest_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& item_ids = context->input(0);
    const Tensor& indexed = context->input(1);
    const Tensor& starts = context->input(2);
    const Tensor& vectors = context->input(3);
    const Tensor& norms = context->input(4);
    const int64_t size = indexed.NumElements(), buckets = starts.NumElements();
    OP_REQUIRES(context, buckets >= 2 && (buckets & (buckets - 1)) == 0 && vectors.dims() == 2 &&
                             vectors.dim_size(0) == size + 1 && norms.NumElements() == size + 1 &&
                             longest_ <= size,
                InvalidArgument("Expected an index of N ids, vectors [N + 1, M] and norms [N + 1], "
                                "received ",
                                indexed.shape().DebugString(), ", ",
                                vectors.shape().DebugString(), " and ",
                                norms.shape().DebugString()));
    const int64_t count = item_ids.NumElements(), width = vectors.dim_size(1);
    TensorShape shape = item_ids.shape();
    Tensor* found_norms = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(1, shape, &found_norms));
    shape.AddDim(width);
    Tensor* quantized = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &quantized));
    const int64_t* id = item_ids.flat<int64_t>().data();
    const int64_t* known = indexed.flat<int64_t>().data();
    const int32_t* start = starts.flat<int32_t>().data();
    const auto* from = vectors.flat<tensorflow::int8>().data();
    auto* to = quantized->flat<tensorflow::int8>().data();
    const int shift = 64 - __builtin_ctzll(buckets);
    auto first = [&](int64_t i) -> int64_t {
      const int64_t at = start[(static_cast<uint64_t>(id[i]) * kGoldenRatio) >> shift];
      return std::clamp<int64_t>(at, 0, size - longest_);  // A damaged index reads no other memory.
    };
    auto work = [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        if (i + kAhead < end) {
          const int64_t next = first(i + kAhead);
          __builtin_prefetch(known + next);
          __builtin_prefetch(from + next * width);
        }
        const int64_t from_first = first(i);
        int64_t row = size;
        for (int64_t k = from_first; k < from_first + longest_; ++k) {
          if (known[k] == id[i]) {
            row = k;
            break;
          }
        }
        std::memcpy(to + i * width, from + row * width, width);
        found_norms->flat<float>()(i) = norms.flat<float>()(row);
      }
    };
    Share(context, count, 200 + width / 4, work);
  }

 private:
  int64_t longest_;
};

REGISTER_KERNEL_BUILDER(Name("DmfContentRows").Device(tensorflow::DEVICE_CPU), ContentRowsOp);

}  // namespace
}  // namespace dmf
