// Graphs in OpenVINO, on the CPU.
#include <openvino/runtime/core.hpp>
#include <openvino/runtime/properties.hpp>

#include "session.hpp"

namespace tiepoint {
namespace {

// OpenVINO's default on CPUs with AMX is bfloat16, which moves keypoints and matches.
const ov::AnyMap kOptions = {ov::hint::inference_precision(ov::element::f32),
                             ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY)};

ov::Tensor to_openvino(const Tensor& tensor) {  // shares the memory
  return std::visit(
      [&](const auto& values) {
        using Value = typename std::decay_t<decltype(values)>::value_type;
        return ov::Tensor(ov::element::from<Value>(), ov::Shape(tensor.shape), const_cast<Value*>(values.data()));
      },
      tensor.values);
}

Tensor from_openvino(const ov::Tensor& tensor) {
  Tensor copy{tensor.get_shape(), {}};
  const size_t count = tensor.get_size();
  if (tensor.get_element_type() == ov::element::i64)
    copy.values = std::vector<int64_t>(tensor.data<int64_t>(), tensor.data<int64_t>() + count);
  else
    copy.values = std::vector<float>(tensor.data<float>(), tensor.data<float>() + count);
  return copy;
}

class OpenVinoSession : public Session {
 public:
  explicit OpenVinoSession(const std::filesystem::path& path) {
    static ov::Core core;
    model_ = core.compile_model(path.string(), "CPU", kOptions);
    request_ = model_.create_infer_request();
  }

  Tensors run(const Tensors& inputs) override {
    for (const auto& [name, tensor] : inputs) request_.set_tensor(name, to_openvino(tensor));
    request_.infer();
    Tensors outputs;
    for (const auto& output : model_.outputs())
      outputs[output.get_any_name()] = from_openvino(request_.get_tensor(output));
    return outputs;
  }

 private:
  ov::CompiledModel model_;
  ov::InferRequest request_;
};

}  // namespace

std::unique_ptr<Session> open_session(const std::filesystem::path& path) {
  return std::make_unique<OpenVinoSession>(path);
}

}  // namespace tiepoint
