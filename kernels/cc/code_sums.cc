// DmfCodeSums: what tiers, kernels and means read of a candidate's pairs, in one pass.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "instruction_sets.h"
#include "op.h"

namespace dmf {
namespace {

constexpr int64_t kCodes = 256;
constexpr int64_t kLanes = 16;   // Floats that a loop takes at once.
constexpr int64_t kBlock = 64;   // Codes that a row is padded to a multiple of.

// What the loops read and write, of all requests.
struct Sums {
  int64_t length, padded, factors, tiers;
  int modalities, tables;
  const float* table;
  bool with_product;
  std::vector<const uint8_t*> codes;
  std::vector<int32_t> lowest;  // [modalities, tiers], 256 for a tier that has no code.
  float* sums;
  std::vector<float*> counts;
};

// Of one thread; columns `[factors, padded]` and masks, 255 for a behavior, are of one request.
struct Buffers {
  std::vector<float> found, product, columns;
  std::vector<uint8_t> masks, known;
};

#define DMF_LOOPS "code_sums.inc"
#include "each_instruction_set.inc"
#undef DMF_LOOPS

REGISTER_OP("DmfCodeSums")
    .Attr("N: int >= 1")
    .Attr("tiers: int >= 0")
    .Attr("with_product: bool")
    .Input("codes: N * uint8")
    .Input("columns: float")
    .Input("mask: bool")
    .Input("table: float")
    .Input("tier_of_code: int32")
    .Output("sums: float")
    .Output("counts: N * float")
    .SetShapeFn([](InferenceContext* context) {
      int count, tiers;
      TF_RETURN_IF_ERROR(context->GetAttr("N", &count));
      TF_RETURN_IF_ERROR(context->GetAttr("tiers", &tiers));
      bool with_product;
      TF_RETURN_IF_ERROR(context->GetAttr("with_product", &with_product));
      ShapeHandle codes, columns;
      TF_RETURN_IF_ERROR(context->WithRank(context->input(0), 3, &codes));
      TF_RETURN_IF_ERROR(context->WithRank(context->input(count), 3, &columns));
      const DimensionHandle requests = context->Dim(codes, 0), rows = context->Dim(codes, 1);
      context->set_output(0, context->MakeShape({requests, rows, count + with_product,
                                                 context->Dim(columns, 2)}));
      for (int m = 0; m < count; ++m) {
        context->set_output(1 + m, context->MakeShape({requests, rows, tiers}));
      }
      return tensorflow::OkStatus();
    })
    .Doc(R"doc(
Sums over a candidate's behaviors of what their similarity codes look up.

codes: `[R, C, L]` of each of N modalities.
columns: `[R, L, K]`, factors of each behavior; those of padding count as 0.
mask: `[R, L]`, false for padding, which is in no tier.
table: `[256]`, by code.
tier_of_code: `[N, 256]` ascending in `[0, tiers]`, 0 for none and for code 0; or `[0, 256]`
  where tiers is 0.
sums: `[R, C, N or N + 1, K]`: of each modality `sum_i table[code_i] columns[i]`, then, with
  `with_product`, of the product over all modalities of what their codes look up.
counts: `[R, C, tiers]` behaviors in each tier, of each modality.
)doc");

class CodeSumsOp : public tensorflow::OpKernel {
 public:
  explicit CodeSumsOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("tiers", &tiers_));
    OP_REQUIRES_OK(context, context->GetAttr("with_product", &with_product_));
  }

  void Compute(OpKernelContext* context) override {
    OpInputList codes;
    OP_REQUIRES_OK(context, context->input_list("codes", &codes));
    const int modalities = codes.size();
    const Tensor& columns = context->input(modalities);
    const Tensor& mask = context->input(modalities + 1);
    const Tensor& table = context->input(modalities + 2);
    const Tensor& tier_of_code = context->input(modalities + 3);
    OP_REQUIRES(context, codes[0].dims() == 3 && columns.dims() == 3,
                InvalidArgument("Expected codes [R, C, L] and columns [R, L, K], received ",
                                codes[0].shape().DebugString(), " and ",
                                columns.shape().DebugString()));
    const int64_t requests = codes[0].dim_size(0), rows = codes[0].dim_size(1);
    const int64_t length = codes[0].dim_size(2), factors = columns.dim_size(2);
    for (const Tensor& one : codes) {
      OP_REQUIRES(context, one.shape() == codes[0].shape(),
                  InvalidArgument("Codes of several shapes: ", one.shape().DebugString(), ", ",
                                  codes[0].shape().DebugString()));
    }
    OP_REQUIRES(
        context,
        columns.shape() == TensorShape({requests, length, factors}) &&
            mask.shape() == TensorShape({requests, length}),
        InvalidArgument("Expected columns [R, L, K] and mask [R, L] of codes ",
                        codes[0].shape().DebugString(), ", received ",
                        columns.shape().DebugString(), " and ", mask.shape().DebugString()));
    OP_REQUIRES(context,
                table.NumElements() == kCodes &&
                    tier_of_code.NumElements() == (tiers_ ? modalities * kCodes : 0),
                InvalidArgument("Tables of ", table.NumElements(), " and ",
                                tier_of_code.NumElements(), " numbers for ", modalities,
                                " modalities and ", tiers_, " tiers."));
    // The lowest code of each tier; 256 for a tier without any.
    std::vector<int32_t> lowest(modalities * tiers_, kCodes);
    for (int64_t i = tier_of_code.NumElements() - 1; i >= 0; --i) {
      const int32_t tier = tier_of_code.flat<int32_t>()(i);
      const int64_t modality = i / kCodes, code = i % kCodes;
      const bool ascends = code == kCodes - 1 || tier <= tier_of_code.flat<int32_t>()(i + 1);
      OP_REQUIRES(context, tier >= 0 && tier <= tiers_ && ascends && (code > 0 || tier == 0),
                  InvalidArgument("tier_of_code[", modality, ", ", code, "] is ", tier,
                                  ": expected 0 for code 0, then ascending up to ", tiers_));
      // A tier without codes begins where the next one does.
      for (int32_t t = 0; t < tier; ++t) lowest[modality * tiers_ + t] = code;
    }
    const int tables = modalities + (with_product_ ? 1 : 0);
    Tensor* sums = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(
                                0, TensorShape({requests, rows, tables, factors}), &sums));
    OpOutputList counts;
    OP_REQUIRES_OK(context, context->output_list("counts", &counts));
    std::vector<const uint8_t*> code(modalities);
    std::vector<float*> counted(modalities);
    for (int m = 0; m < modalities; ++m) {
      Tensor* one = nullptr;
      OP_REQUIRES_OK(context,
                     counts.allocate(m, TensorShape({requests, rows, tiers_}), &one));
      counted[m] = one->flat<float>().data();
      code[m] = codes[m].flat<tensorflow::uint8>().data();
    }
    if (requests * rows == 0) return;
    // An empty history has a block of padding too, so that no buffer is empty.
    const int64_t padded = std::max((length + kBlock - 1) / kBlock * kBlock, kBlock);
    const Sums of{length, padded, factors, tiers_, modalities, tables,
                  table.flat<float>().data(), with_product_,
                  code, lowest, sums->flat<float>().data(), counted};
    auto work = [&](int64_t begin, int64_t end) {
      Buffers buffers{std::vector<float>(padded), std::vector<float>(padded),
                      std::vector<float>(factors * padded), std::vector<uint8_t>(padded),
                      std::vector<uint8_t>(padded)};
      while (begin < end) {
        const int64_t request = begin / rows, last = std::min(end, (request + 1) * rows);
        const float* from = columns.flat<float>().data() + request * length * factors;
        const bool* behaves = mask.flat<bool>().data() + request * length;
        for (int64_t i = 0; i < length; ++i) {
          buffers.masks[i] = behaves[i] ? 255 : 0;
          for (int64_t k = 0; k < factors; ++k) {
            buffers.columns[k * padded + i] = behaves[i] ? from[i * factors + k] : 0;
          }
        }
        DMF_DISPATCH(Rows, of, begin, last, &buffers)
        begin = last;
      }
    };
    const int64_t cost = 50 + length * (modalities * 2 + tables * factors / 8);
    Share(context, requests * rows, cost, work);
  }

 private:
  int tiers_;
  bool with_product_;
};

REGISTER_KERNEL_BUILDER(Name("DmfCodeSums").Device(tensorflow::DEVICE_CPU), CodeSumsOp);

}  // namespace
}  // namespace dmf
