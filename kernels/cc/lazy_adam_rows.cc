// DmfLazyAdamRows: a step of lazy Adam over the rows of a table, in one pass over its memory.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "instruction_sets.h"
#include "op.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"

namespace dmf {
namespace {

// The optimizer's numbers in float32; `rest` is 1 - beta, subtracted in double.
struct Factors {
  float rate, beta_1, rest_1, beta_2, rest_2, epsilon;
};

#define DMF_LOOPS "lazy_adam_rows.inc"
#include "each_instruction_set.inc"
#undef DMF_LOOPS

using tensorflow::Var;

using Place = std::pair<int64_t, int64_t>;  // A row, and which gradient of all is of it.

constexpr int64_t kParts = 16;  // Of the rows, by the first four bits of a hash.
constexpr int kTables = 3;  // Weights, first moments, second moments.

REGISTER_OP("DmfLazyAdamRows")
    .Attr("beta_1: float")
    .Attr("rest_1: float")
    .Attr("beta_2: float")
    .Attr("rest_2: float")
    .Attr("epsilon: float")
    .Input("variable: resource")
    .Input("momentum: resource")
    .Input("velocity: resource")
    .Input("rate: float")
    .Input("rows: int64")
    .Input("gradients: float")
    .SetIsStateful()
    .SetShapeFn(tensorflow::shape_inference::NoOutputs)
    .Doc(R"doc(
Updates the rows of a table and its two moments that a gradient names.

variable, momentum, velocity: `[N, ...]` float32 each.
rate: the step size with the correction of both moments' bias.
rows: `[K]` in `[0, N)`; the gradients of a row that is there several times are added up in order.
gradients: `[K, ...]`.
)doc");

// Makes sure that no tensor that was read shares the variable's memory, as stock scatter ops do.
Status PrepareForRows(OpKernelContext* context, Var* variable) {
  if (!variable->is_initialized || !variable->tensor()->IsInitialized()) {
    return tensorflow::errors::FailedPrecondition("A table is not initialized.");
  }
  if (variable->copy_on_read_mode.load()) return tensorflow::OkStatus();
  if (!variable->tensor()->RefCountIsOne()) {
    Tensor copy;
    TF_RETURN_IF_ERROR(context->allocate_temp(variable->tensor()->dtype(),
                                              variable->tensor()->shape(), &copy));
    const auto from = variable->tensor()->tensor_data();
    std::memcpy(const_cast<char*>(copy.tensor_data().data()), from.data(), from.size());
    *variable->tensor() = copy;
  }
  variable->copy_on_read_mode.store(true);
  return tensorflow::OkStatus();
}

class LazyAdamRowsOp : public tensorflow::OpKernel {
 public:
  explicit LazyAdamRowsOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("beta_1", &by_.beta_1));
    OP_REQUIRES_OK(context, context->GetAttr("rest_1", &by_.rest_1));
    OP_REQUIRES_OK(context, context->GetAttr("beta_2", &by_.beta_2));
    OP_REQUIRES_OK(context, context->GetAttr("rest_2", &by_.rest_2));
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &by_.epsilon));
  }

  void Compute(OpKernelContext* context) override {
    tensorflow::core::RefCountPtr<Var> variables[kTables];
    std::vector<tensorflow::mutex*> mutexes;
    for (int i = 0; i < kTables; ++i) {
      OP_REQUIRES_OK(context, tensorflow::LookupResource(
                                  context, tensorflow::HandleFromInput(context, i), &variables[i]));
      mutexes.push_back(variables[i]->mu());
    }
    // In the order of addresses, so that two steps over the same tables cannot wait for each other.
    std::sort(mutexes.begin(), mutexes.end(), std::less<tensorflow::mutex*>());
    OP_REQUIRES(context, std::adjacent_find(mutexes.begin(), mutexes.end()) == mutexes.end(),
                InvalidArgument("One table was given for two."));
    tensorflow::mutex_lock first(*mutexes[0]), second(*mutexes[1]), third(*mutexes[2]);
    Tensor tables[kTables];
    for (int i = 0; i < kTables; ++i) {
      OP_REQUIRES_OK(context, PrepareForRows(context, variables[i].get()));
      tables[i] = *variables[i]->tensor();
      OP_REQUIRES(context, tables[i].dtype() == tensorflow::DT_FLOAT && tables[i].dims() >= 1 &&
                               tables[i].shape() == tables[0].shape(),
                  InvalidArgument("Expected three float32 tables of one shape, received ",
                                  tables[i].DebugString(0), " beside ",
                                  tables[0].DebugString(0)));
    }
    const Tensor& rate = context->input(3);
    const Tensor& rows = context->input(4);
    const Tensor& gradients = context->input(5);
    const int64_t size = tables[0].dim_size(0), count = rows.NumElements();
    const int64_t width = size ? tables[0].NumElements() / size : 0;
    OP_REQUIRES(context, rate.NumElements() == 1 && gradients.NumElements() == count * width,
                InvalidArgument("Expected one rate and ", count, " rows of ", width,
                                " numbers, received ", rate.NumElements(), " rates and gradients ",
                                gradients.shape().DebugString()));
    const int64_t* row = rows.flat<int64_t>().data();
    for (int64_t k = 0; k < count; ++k) {
      OP_REQUIRES(context, row[k] >= 0 && row[k] < size,
                  InvalidArgument("rows[", k, "] is ", row[k], ", expected 0 to ", size - 1));
    }
    Factors by = by_;
    by.rate = rate.flat<float>()(0);
    const float* gradient = gradients.flat<float>().data();
    float* table[kTables];
    for (int i = 0; i < kTables; ++i) table[i] = tables[i].flat<float>().data();
    // Each part has all gradients of its rows, so that sums do not depend on the number of threads.
    std::vector<std::vector<Place>> parts(kParts);
    for (int64_t k = 0; k < count; ++k) {
      parts[(static_cast<uint64_t>(row[k]) * kGoldenRatio) >> 60].push_back({row[k], k});
    }
    auto work = [&](int64_t begin, int64_t end) {
      std::vector<float> sum(width);
      for (int64_t part = begin; part < end; ++part) {
        std::vector<Place>& own = parts[part];
        std::sort(own.begin(), own.end());
        for (size_t i = 0; i < own.size();) {
          size_t next = i + 1;
          while (next < own.size() && own[next].first == own[i].first) ++next;
          if (next < own.size()) {
            for (float* one : table) __builtin_prefetch(one + own[next].first * width, 1);
          }
          const float* total = gradient + own[i].second * width;
          if (next > i + 1) {
            std::memcpy(sum.data(), total, sizeof(float) * width);
            for (size_t k = i + 1; k < next; ++k) {
              DMF_DISPATCH(Add, gradient + own[k].second * width, width, sum.data())
            }
            total = sum.data();
          }
          const int64_t at = own[i].first * width;
          DMF_DISPATCH(Row, total, width, by, table[0] + at, table[1] + at, table[2] + at)
          i = next;
        }
      }
    };
    // Three reads and writes of rows that are in no cache.
    const int64_t cost = count / kParts * (300 + width * 8);
    Share(context, kParts, cost, work);
  }

 private:
  Factors by_;
};

REGISTER_KERNEL_BUILDER(Name("DmfLazyAdamRows").Device(tensorflow::DEVICE_CPU), LazyAdamRowsOp);

}  // namespace
}  // namespace dmf
