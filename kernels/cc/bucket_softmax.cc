// DmfBucketSoftmax and its gradient: attention weights from scores and similarity codes.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "instruction_sets.h"
#include "op.h"

namespace dmf {
namespace {

constexpr int64_t kCodes = 256;
constexpr int64_t kCopies = 4;
constexpr int64_t kLanes = 16;  // Floats that a loop takes at once; rows are padded to them.

REGISTER_OP("DmfBucketSoftmax")
    .Attr("N: int >= 0")
    .Input("scores: float")
    .Input("offsets: float")
    .Input("types: int32")
    .Input("behavior_codes: int32")
    .Input("behavior_terms: float")
    .Input("bucket_of_code: int32")
    .Input("codes: N * uint8")
    .Input("terms: N * float")
    .Input("biases: N * float")
    .Output("weights: float")
    .Output("behavior_mass: float")
    .Output("masses: N * float")
    .SetShapeFn([](InferenceContext* context) {
      int count;
      TF_RETURN_IF_ERROR(context->GetAttr("N", &count));
      context->set_output(0, context->input(0));
      context->set_output(1, context->input(4));
      for (int n = 0; n < count; ++n) context->set_output(2 + n, context->input(6 + count + n));
      return tensorflow::OkStatus();
    })
    .Doc(R"doc(
Attention weights, and their sums by bucket of similarity.

  score = scores + offsets + behavior_terms[behavior_code]
          + sum_n (terms_n[bucket_n] + biases_n[type, bucket_n])
  weights = softmax(score) over the behaviors

scores: `[R, C, H, L]`.
offsets: `[R, H, L]`, what depends on the behavior alone, padding as a large negative number.
types: `[R, L]` in `[0, Y)`.
behavior_codes: `[R, L]` in `[0, K)`.
behavior_terms: `[R, C, H, K]`; with K = 0 there are none, and `behavior_codes` is not read.
bucket_of_code: `[N, 256]`, of each modality in `[0, B_n)`.
codes: `[R, C, L]` of each of N modalities.
terms: `[R, C, H, B_n]` of each.
biases: `[Y, B_n, H]` of each.
weights: `[R, C, H, L]`.
behavior_mass: `[R, C, H, K]`, the weights' sums by `behavior_codes`.
masses: `[R, C, H, B_n]`, the weights' sums by bucket.
)doc");

REGISTER_OP("DmfBucketSoftmaxGradient")
    .Attr("N: int >= 0")
    .Attr("types_count: int >= 1")
    .Input("weights: float")
    .Input("weights_gradient: float")
    .Input("types: int32")
    .Input("behavior_codes: int32")
    .Input("behavior_mass_gradient: float")
    .Input("bucket_of_code: int32")
    .Input("codes: N * uint8")
    .Input("mass_gradients: N * float")
    .Output("scores_gradient: float")
    .Output("offsets_gradient: float")
    .Output("behavior_terms_gradient: float")
    .Output("terms_gradients: N * float")
    .Output("biases_gradients: N * float")
    .SetShapeFn([](InferenceContext* context) {
      int count, types;
      TF_RETURN_IF_ERROR(context->GetAttr("N", &count));
      TF_RETURN_IF_ERROR(context->GetAttr("types_count", &types));
      ShapeHandle weights;
      TF_RETURN_IF_ERROR(context->WithRank(context->input(0), 4, &weights));
      context->set_output(0, weights);
      context->set_output(
          1, context->MakeShape({context->Dim(weights, 0), context->Dim(weights, 2),
                                 context->Dim(weights, 3)}));
      context->set_output(2, context->input(4));
      for (int n = 0; n < count; ++n) {
        ShapeHandle mass;
        TF_RETURN_IF_ERROR(context->WithRank(context->input(6 + count + n), 4, &mass));
        context->set_output(3 + n, mass);
        context->set_output(3 + count + n, context->MakeShape({types, context->Dim(mass, 3),
                                                               context->Dim(weights, 2)}));
      }
      return tensorflow::OkStatus();
    })
    .Doc(R"doc(
The gradient of DmfBucketSoftmax. Sums over a request are those of one thread, so that they do not
depend on the number of threads.
)doc");

// Sizes and the inputs that both ops read.
struct Pairs {
  int64_t requests, candidates, heads, length, padded, behavior_terms, types = 1;
  int modalities;
  std::vector<const uint8_t*> codes;
  std::vector<int64_t> buckets;
  const int32_t* type;
  const int32_t* behavior_codes;
  std::vector<int32_t> bucket_of_code;  // [N, 256]

  Status Read(OpKernelContext* context, const Tensor& scores, const Tensor& of_behavior_terms,
              const OpInputList& all_codes, const OpInputList& terms) {
    if (scores.dims() != 4) {
      return InvalidArgument("Expected scores [R, C, H, L], received ",
                             scores.shape().DebugString());
    }
    requests = scores.dim_size(0), candidates = scores.dim_size(1);
    heads = scores.dim_size(2), length = scores.dim_size(3);
    padded = (length + kLanes - 1) / kLanes * kLanes;
    const Tensor& type_input = context->input(2);
    const Tensor& code_input = context->input(3);
    const Tensor& bucket_input = context->input(5);
    modalities = all_codes.size();
    const TensorShape behaviors({requests, length});
    if (type_input.shape() != behaviors || code_input.shape() != behaviors) {
      return InvalidArgument("Expected types and behavior_codes ", behaviors.DebugString(),
                             ", received ", type_input.shape().DebugString(), " and ",
                             code_input.shape().DebugString());
    }
    if (of_behavior_terms.dims() != 4 || of_behavior_terms.dim_size(0) != requests ||
        of_behavior_terms.dim_size(1) != candidates || of_behavior_terms.dim_size(2) != heads) {
      return InvalidArgument("Expected behavior terms [R, C, H, K], received ",
                             of_behavior_terms.shape().DebugString());
    }
    behavior_terms = of_behavior_terms.dim_size(3);
    if (bucket_input.NumElements() != modalities * kCodes) {
      return InvalidArgument("Expected bucket_of_code [", modalities, ", 256], received ",
                             bucket_input.shape().DebugString());
    }
    for (int n = 0; n < modalities; ++n) {
      if (all_codes[n].shape() != TensorShape({requests, candidates, length}) ||
          terms[n].dims() != 4 || terms[n].dim_size(0) != requests ||
          terms[n].dim_size(1) != candidates || terms[n].dim_size(2) != heads) {
        return InvalidArgument("Expected codes [R, C, L] and terms [R, C, H, B], received ",
                               all_codes[n].shape().DebugString(), " and ",
                               terms[n].shape().DebugString());
      }
      buckets.push_back(terms[n].dim_size(3));
      codes.push_back(all_codes[n].flat<tensorflow::uint8>().data());
      for (int64_t code = 0; code < kCodes; ++code) {
        const int32_t bucket = bucket_input.flat<int32_t>()(n * kCodes + code);
        if (bucket < 0 || bucket >= buckets[n]) {
          return InvalidArgument("bucket_of_code holds ", bucket, ", expected 0 to ",
                                 buckets[n] - 1);
        }
        bucket_of_code.push_back(bucket);
      }
    }
    type = type_input.flat<int32_t>().data();
    behavior_codes = code_input.flat<int32_t>().data();
    return tensorflow::OkStatus();
  }

  // Checks what indexes tables.
  Status CheckRange() const {
    for (int64_t i = 0; i < requests * length; ++i) {
      if (modalities && (type[i] < 0 || type[i] >= types)) {
        return InvalidArgument("A behavior has the type ", type[i], ", expected 0 to ", types - 1);
      }
      if (behavior_terms && (behavior_codes[i] < 0 || behavior_codes[i] >= behavior_terms)) {
        return InvalidArgument("A behavior has the code ", behavior_codes[i], ", expected 0 to ",
                               behavior_terms - 1);
      }
    }
    return tensorflow::OkStatus();
  }

  int64_t MostPlaces() const {
    int64_t most = behavior_terms;
    for (const int64_t count : buckets) most = std::max(most, types * count);
    return most;
  }

  // Of rows: `row` counts candidates and heads of all requests.
  int64_t Request(int64_t row) const { return row / (candidates * heads); }
  int64_t Candidate(int64_t row) const { return row / heads; }
  int64_t Head(int64_t row) const { return row % heads; }

  int64_t Cost() const { return 100 + length * (10 + 8 * modalities) + 2 * MostPlaces(); }
};

// Of one thread: a row, a table by type and bucket, copies of a table, and of one request where each
// behavior's type begins in a table, its code, and where each pair is in a table.
struct Buffers {
  std::vector<float> row, table, copies;
  std::vector<std::vector<int32_t>> starts, positions;
  std::vector<int32_t> behavior_codes;

  explicit Buffers(const Pairs& pairs)
      : row(pairs.padded),
        table(pairs.MostPlaces()),
        copies(kCopies * pairs.MostPlaces()),
        starts(pairs.modalities, std::vector<int32_t>(pairs.padded)),
        positions(starts),
        behavior_codes(pairs.padded) {}

  void Prepare(const Pairs& pairs, int64_t request) {
    const int64_t first = request * pairs.length;
    for (int64_t i = 0; i < pairs.length; ++i) behavior_codes[i] = pairs.behavior_codes[first + i];
    for (int n = 0; n < pairs.modalities; ++n) {
      for (int64_t i = 0; i < pairs.length; ++i) {
        starts[n][i] = pairs.type[first + i] * static_cast<int32_t>(pairs.buckets[n]);
      }
    }
  }
};

struct ForwardTensors {
  const float *scores, *offsets, *behavior_terms;
  std::vector<const float*> terms;
  std::vector<std::vector<float>> biases;  // [H, Y, B]
  float *weights, *behavior_mass;
  std::vector<float*> masses;
};

struct BackwardTensors {
  const float *weights, *upstream, *behavior_mass;
  std::vector<const float*> masses;
  float *scores, *offsets, *behavior_terms;
  std::vector<float*> terms;
  std::vector<float*> biases;  // [R, H, Y, B]
};

#define DMF_LOOPS "bucket_softmax.inc"
#include "each_instruction_set.inc"
#undef DMF_LOOPS

void Clear(Tensor* tensor) { tensor->flat<float>().setZero(); }

// Biases `[Y, B, H]` as `[H, Y, B]`, so that a head's are side by side.
std::vector<float> ByHead(const Tensor& biases) {
  const int64_t types = biases.dim_size(0), buckets = biases.dim_size(1);
  const int64_t heads = biases.dim_size(2);
  std::vector<float> found(biases.NumElements());
  for (int64_t i = 0; i < types * buckets; ++i) {
    for (int64_t h = 0; h < heads; ++h) {
      found[h * types * buckets + i] = biases.flat<float>()(i * heads + h);
    }
  }
  return found;
}

class BucketSoftmaxOp : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    OpInputList codes, terms, biases;
    OP_REQUIRES_OK(context, context->input_list("codes", &codes));
    OP_REQUIRES_OK(context, context->input_list("terms", &terms));
    OP_REQUIRES_OK(context, context->input_list("biases", &biases));
    const Tensor& scores = context->input(0);
    const Tensor& offsets = context->input(1);
    const Tensor& behavior_terms = context->input(4);
    Pairs pairs;
    OP_REQUIRES_OK(context, pairs.Read(context, scores, behavior_terms, codes, terms));
    OP_REQUIRES(context,
                offsets.shape() == TensorShape({pairs.requests, pairs.heads, pairs.length}),
                InvalidArgument("Expected offsets [R, H, L], received ",
                                offsets.shape().DebugString()));
    std::vector<std::vector<float>> by_head;
    for (int n = 0; n < pairs.modalities; ++n) {
      pairs.types = biases[0].dim_size(0);
      OP_REQUIRES(
          context,
          biases[n].shape() == TensorShape({pairs.types, pairs.buckets[n], pairs.heads}),
          InvalidArgument("Expected biases [Y, B, H], received ", biases[n].shape().DebugString()));
      by_head.push_back(ByHead(biases[n]));
    }
    OP_REQUIRES_OK(context, pairs.CheckRange());
    Tensor* weights = nullptr;
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({0}, 0, scores.shape(),
                                                                      &weights));
    Tensor* behavior_mass = nullptr;
    OP_REQUIRES_OK(context,
                   context->allocate_output(1, behavior_terms.shape(), &behavior_mass));
    OpOutputList masses;
    OP_REQUIRES_OK(context, context->output_list("masses", &masses));
    std::vector<float*> mass(pairs.modalities);
    std::vector<const float*> term(pairs.modalities);
    for (int n = 0; n < pairs.modalities; ++n) {
      Tensor* one = nullptr;
      OP_REQUIRES_OK(context, masses.allocate(n, terms[n].shape(), &one));
      mass[n] = one->flat<float>().data();
      term[n] = terms[n].flat<float>().data();
    }
    if (pairs.length == 0) {
      Clear(behavior_mass);
      for (int n = 0; n < pairs.modalities; ++n) Clear(masses[n]);
      return;
    }
    const ForwardTensors of{scores.flat<float>().data(),
                            offsets.flat<float>().data(),
                            behavior_terms.flat<float>().data(),
                            term,
                            by_head,
                            weights->flat<float>().data(),
                            behavior_mass->flat<float>().data(),
                            mass};
    auto work = [&](int64_t begin, int64_t end) {
      Buffers buffers(pairs);
      while (begin < end) {
        const int64_t request = pairs.Request(begin);
        const int64_t last = std::min(end, (request + 1) * pairs.candidates * pairs.heads);
        buffers.Prepare(pairs, request);
        DMF_DISPATCH(Forward, pairs, of, begin, last, &buffers)
        begin = last;
      }
    };
    Share(context, pairs.requests * pairs.candidates * pairs.heads, pairs.Cost(), work);
  }
};

REGISTER_KERNEL_BUILDER(Name("DmfBucketSoftmax").Device(tensorflow::DEVICE_CPU), BucketSoftmaxOp);

class BucketSoftmaxGradientOp : public tensorflow::OpKernel {
 public:
  explicit BucketSoftmaxGradientOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("types_count", &types_));
  }

  void Compute(OpKernelContext* context) override {
    OpInputList codes, mass_gradients;
    OP_REQUIRES_OK(context, context->input_list("codes", &codes));
    OP_REQUIRES_OK(context, context->input_list("mass_gradients", &mass_gradients));
    const Tensor& weights = context->input(0);
    const Tensor& upstream = context->input(1);
    const Tensor& behavior_mass_gradient = context->input(4);
    Pairs pairs;
    pairs.types = types_;
    OP_REQUIRES_OK(context,
                   pairs.Read(context, weights, behavior_mass_gradient, codes, mass_gradients));
    OP_REQUIRES(context, upstream.shape() == weights.shape(),
                InvalidArgument("Weights and their gradient differ in shape."));
    OP_REQUIRES_OK(context, pairs.CheckRange());
    const int64_t requests = pairs.requests, heads = pairs.heads, length = pairs.length;
    Tensor* scores_gradient = nullptr;
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({1}, 0, weights.shape(),
                                                                      &scores_gradient));
    Tensor* offsets_gradient = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({requests, heads, length}),
                                                     &offsets_gradient));
    Tensor* behavior_gradient = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(2, behavior_mass_gradient.shape(),
                                                     &behavior_gradient));
    OpOutputList term_gradients, bias_gradients;
    OP_REQUIRES_OK(context, context->output_list("terms_gradients", &term_gradients));
    OP_REQUIRES_OK(context, context->output_list("biases_gradients", &bias_gradients));
    std::vector<float*> term(pairs.modalities), bias(pairs.modalities);
    std::vector<const float*> mass(pairs.modalities);
    // Of each request, [R, H, Y, B]: added up in the requests' order below.
    std::vector<std::vector<float>> partial(pairs.modalities);
    for (int n = 0; n < pairs.modalities; ++n) {
      Tensor* one = nullptr;
      OP_REQUIRES_OK(context, term_gradients.allocate(n, mass_gradients[n].shape(), &one));
      term[n] = one->flat<float>().data();
      OP_REQUIRES_OK(context, bias_gradients.allocate(
                                  n, TensorShape({types_, pairs.buckets[n], heads}), &one));
      bias[n] = one->flat<float>().data();
      mass[n] = mass_gradients[n].flat<float>().data();
      partial[n].assign(requests * heads * types_ * pairs.buckets[n], 0);
    }
    if (pairs.length == 0) {
      Clear(behavior_gradient);
      for (int n = 0; n < pairs.modalities; ++n) {
        Clear(term_gradients[n]);
        Clear(bias_gradients[n]);
      }
      return;
    }
    std::vector<float*> partial_bias;
    for (auto& one : partial) partial_bias.push_back(one.data());
    const BackwardTensors of{weights.flat<float>().data(),
                             upstream.flat<float>().data(),
                             behavior_mass_gradient.flat<float>().data(),
                             mass,
                             scores_gradient->flat<float>().data(),
                             offsets_gradient->flat<float>().data(),
                             behavior_gradient->flat<float>().data(),
                             term,
                             partial_bias};
    std::memset(of.offsets, 0, sizeof(float) * offsets_gradient->NumElements());
    auto work = [&](int64_t begin, int64_t end) {
      Buffers buffers(pairs);
      for (int64_t request = begin; request < end; ++request) {
        buffers.Prepare(pairs, request);
        DMF_DISPATCH(Backward, pairs, of, request, &buffers)
      }
    };
    Share(context, requests,
                      pairs.Cost() * pairs.candidates * heads, work);
    for (int n = 0; n < pairs.modalities; ++n) {
      const int64_t size = types_ * pairs.buckets[n];
      for (int64_t i = 0; i < size; ++i) {
        for (int64_t h = 0; h < heads; ++h) {
          float sum = 0;
          for (int64_t r = 0; r < requests; ++r) sum += partial[n][(r * heads + h) * size + i];
          bias[n][i * heads + h] = sum;
        }
      }
    }
  }

 private:
  int64_t types_;
};

REGISTER_KERNEL_BUILDER(Name("DmfBucketSoftmaxGradient").Device(tensorflow::DEVICE_CPU),
                        BucketSoftmaxGradientOp);

}  // namespace
}  // namespace dmf
