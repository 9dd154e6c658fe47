// Graphs in ONNX Runtime, on the CPU. Compiled with -DTIEPOINT_RUNTIME=onnxruntime. Not measured here.
#include <onnxruntime_cxx_api.h>

#include "session.hpp"

namespace tiepoint {
namespace {

Ort::Value to_onnxruntime(const Tensor& tensor) {  // shares the memory
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const std::vector<int64_t> shape(tensor.shape.begin(), tensor.shape.end());
  return std::visit(
      [&](const auto& values) {
        using Value = typename std::decay_t<decltype(values)>::value_type;
        auto* data = const_cast<Value*>(values.data());
        return Ort::Value::CreateTensor<Value>(memory, data, values.size(), shape.data(), shape.size());
      },
      tensor.values);
}

Tensor from_onnxruntime(const Ort::Value& value) {
  const auto info = value.GetTensorTypeAndShapeInfo();
  const auto shape = info.GetShape();
  Tensor copy{{shape.begin(), shape.end()}, {}};
  const size_t count = info.GetElementCount();
  if (info.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64) {
    const auto* data = value.GetTensorData<int64_t>();
    copy.values = std::vector<int64_t>(data, data + count);
  } else {
    const auto* data = value.GetTensorData<float>();
    copy.values = std::vector<float>(data, data + count);
  }
  return copy;
}

class OnnxRuntimeSession : public Session {
 public:
  explicit OnnxRuntimeSession(const std::filesystem::path& path) : session_(environment(), path.c_str(), Ort::SessionOptions{}) {
    Ort::AllocatorWithDefaultOptions allocator;
    for (size_t i = 0; i < session_.GetOutputCount(); ++i)
      names_.emplace_back(session_.GetOutputNameAllocated(i, allocator).get());
  }

  Tensors run(const Tensors& inputs) override {
    std::vector<const char*> input_names, output_names;
    std::vector<Ort::Value> values;
    for (const auto& [name, tensor] : inputs) {
      input_names.push_back(name.c_str());
      values.push_back(to_onnxruntime(tensor));
    }
    for (const auto& name : names_) output_names.push_back(name.c_str());
    const auto results = session_.Run(Ort::RunOptions{}, input_names.data(), values.data(), values.size(),
                                      output_names.data(), output_names.size());
    Tensors outputs;
    for (size_t i = 0; i < names_.size(); ++i) outputs[names_[i]] = from_onnxruntime(results[i]);
    return outputs;
  }

 private:
  static Ort::Env& environment() {
    static Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "tiepoint");
    return env;
  }

  Ort::Session session_;
  std::vector<std::string> names_;
};

}  // namespace

std::unique_ptr<Session> open_session(const std::filesystem::path& path) {
  return std::make_unique<OnnxRuntimeSession>(path);
}

}  // namespace tiepoint
