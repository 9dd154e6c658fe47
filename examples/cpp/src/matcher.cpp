// The loop is that of src/tiepoint/runtimes/lightglue.py: early stopping and pruning decide as the package does.
// docs/reference/bundle-format.md describes the bundle.
#include "matcher.hpp"

#include <algorithm>
#include <fstream>
#include <numeric>
#include <stdexcept>

namespace tiepoint {
namespace {

constexpr int kFormatVersion = 1;

nlohmann::json read_manifest(const std::filesystem::path& bundle) {
  std::ifstream file(bundle / "manifest.json");
  auto manifest = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (manifest.is_discarded() || manifest.value("format", "") != "tiepoint-bundle")
    throw std::runtime_error(bundle.string() + " is not a bundle; expected a folder written by tiepoint export");
  if (manifest.at("format_version").get<int>() > kFormatVersion)
    throw std::runtime_error(bundle.string() + " has a newer format; export it again, or update this program");
  if (manifest.at("matcher").at("adaptive").is_null())
    throw std::runtime_error(bundle.string() + " lacks the adaptive form; export it without --form single");
  return manifest;
}

// Size that the extractor gets: the longer side becomes `resize`, then both sides are reduced to multiples.
std::pair<int, int> input_size(const Image& image, const nlohmann::json& steps) {
  if (!steps.at("fixed_size").is_null()) return {steps["fixed_size"][0], steps["fixed_size"][1]};
  const int64_t longer = std::max(image.width, image.height);
  int64_t target = steps.at("resize").is_null() ? longer : steps["resize"].get<int64_t>();
  if (longer < target && !steps.at("upscale").get<bool>()) target = longer;
  const int64_t multiple = steps.at("size_multiple");
  const auto side = [&](int64_t original) {
    const int64_t rounded = (2 * original * target + longer) / (2 * longer);
    return static_cast<int>(std::max<int64_t>(rounded / multiple, 1) * multiple);
  };
  return {side(image.width), side(image.height)};
}

void keep_rows(Tensor& tensor, const std::vector<size_t>& rows) {
  auto& values = tensor.floats();
  const size_t width = tensor.shape[1];
  for (size_t i = 0; i < rows.size(); ++i)  // rows ascend, so nothing is overwritten before it is read
    std::copy_n(values.begin() + rows[i] * width, width, values.begin() + i * width);
  values.resize(rows.size() * width);
  tensor.shape[0] = rows.size();
}

// Tokens of one image that are left, and their rows in its keypoints.
struct Tokens {
  Tensor tokens, rotation;
  std::vector<int64_t> index;
};

Tokens encode(Session& session, const Features& features) {
  const Tensor size{{2}, std::vector<float>{float(features.width), float(features.height)}};
  Tensors outputs = session.run(
      {{"keypoints", features.keypoints}, {"image_size", size}, {"descriptors", features.descriptors}});
  Tokens image{std::move(outputs.at("tokens")), std::move(outputs.at("rotation")), {}};
  image.index.resize(features.size());
  std::iota(image.index.begin(), image.index.end(), 0);
  return image;
}

// Drops confident keypoints that are probably unmatchable.
void prune(Tokens& image, const std::vector<float>& matchability, const std::vector<float>& confidence,
           float min_matchability, float threshold, bool stops_early) {
  std::vector<size_t> rows;
  for (size_t i = 0; i < image.index.size(); ++i)
    if (matchability[i] > min_matchability || (stops_early && confidence[i] <= threshold)) rows.push_back(i);
  if (rows.size() == image.index.size()) return;
  keep_rows(image.tokens, rows);
  keep_rows(image.rotation, rows);
  for (size_t i = 0; i < rows.size(); ++i) image.index[i] = image.index[rows[i]];
  image.index.resize(rows.size());
}

Matches assign(Session& session, const Tokens& image0, const Tokens& image1, int layers_run) {
  const Tensors outputs = session.run({{"tokens0", image0.tokens}, {"tokens1", image1.tokens}});
  const auto& matches0 = outputs.at("matches0").integers();
  const auto& scores = outputs.at("matching_scores0").floats();
  Matches found{{}, layers_run};
  for (size_t i = 0; i < matches0.size(); ++i)
    if (matches0[i] >= 0) found.matches.push_back({image0.index[i], image1.index[matches0[i]], scores[i]});
  return found;
}

}  // namespace

Matcher::Matcher(const std::filesystem::path& bundle) : bundle_(bundle), manifest_(read_manifest(bundle)) {
  const auto& adaptive = manifest_.at("matcher").at("adaptive");
  extractor_ = open(manifest_.at("extractor").at("graph"));
  encode_ = open(adaptive.at("encode"));
  for (const auto& name : adaptive.at("layers")) layers_.push_back(open(name));
  assign_.resize(layers_.size());  // opened on first use: a pair needs one
}

std::unique_ptr<Session> Matcher::open(const std::string& graph) const {
  for (const auto& entry : manifest_.at("graphs"))
    if (entry.at("name") == graph) return open_session(bundle_ / entry.at("file").get<std::string>());
  throw std::runtime_error(bundle_.string() + ": manifest.json has no graph " + graph);
}

Features Matcher::extract(const Image& image) {
  const auto& entry = manifest_.at("extractor");
  const auto& steps = entry.at("preprocessing");
  const auto [width, height] = input_size(image, steps);
  if (std::min(width, height) < steps.at("min_side").get<int>())
    throw std::runtime_error("the image is too small: each side needs " + steps.at("min_side").dump() + " px");
  Image resized = resize(image, width, height);
  for (float& value : resized.pixels) value = std::clamp(value / 255.0f, 0.0f, 1.0f);
  Tensors inputs{{"image", {{1, 3, size_t(height), size_t(width)}, std::move(resized.pixels)}}};
  if (!entry.at("fixed_keypoints").get<bool>()) {
    const int64_t count = entry.at("max_keypoints").is_null() ? 1 << 24 : entry["max_keypoints"].get<int64_t>();
    inputs["max_keypoints"] = {{}, std::vector<int64_t>{count}};
  }
  Tensors outputs = extractor_->run(inputs);
  auto& keypoints = outputs.at("keypoints");
  const float scale[] = {float(double(width) / image.width), float(double(height) / image.height)};
  for (size_t i = 0; i < keypoints.floats().size(); ++i)
    keypoints.floats()[i] = (keypoints.floats()[i] + 0.5f) / scale[i % 2] - 0.5f;
  return {image.width, image.height, keypoints, outputs.at("scores"), outputs.at("descriptors")};
}

Matches Matcher::match(const Features& features0, const Features& features1) {
  if (features0.size() == 0 || features1.size() == 0) return {};
  const auto& adaptive = manifest_.at("matcher").at("adaptive");
  const float depth = adaptive.at("depth_confidence"), width = adaptive.at("width_confidence");
  const auto min_matchability = static_cast<float>(1 - adaptive.at("width_confidence").get<double>());
  const size_t min_keypoints = adaptive.at("pruning_min_keypoints");
  const auto total = static_cast<float>(features0.size() + features1.size());
  Tokens images[] = {encode(*encode_, features0), encode(*encode_, features1)};
  const size_t last = layers_.size() - 1;
  size_t layer = 0;
  for (;; ++layer) {
    Tensors outputs = layers_[layer]->run({{"tokens0", images[0].tokens},
                                           {"tokens1", images[1].tokens},
                                           {"rotation0", images[0].rotation},
                                           {"rotation1", images[1].rotation}});
    images[0].tokens = std::move(outputs.at("next_tokens0"));
    images[1].tokens = std::move(outputs.at("next_tokens1"));
    if (layer == last) break;
    const float threshold = adaptive.at("confidence_thresholds")[layer];
    const auto& confidence0 = outputs.at("confidence0").floats();
    const auto& confidence1 = outputs.at("confidence1").floats();
    const auto unsure = [&](float value) { return value < threshold; };
    const auto count = std::count_if(confidence0.begin(), confidence0.end(), unsure) +
                       std::count_if(confidence1.begin(), confidence1.end(), unsure);
    if (depth > 0 && 1.0f - static_cast<float>(count) / total > depth) break;  // early stopping
    const auto& matchability0 = outputs.at("matchability0").floats();
    const auto& matchability1 = outputs.at("matchability1").floats();
    if (width > 0 && images[0].index.size() > min_keypoints)
      prune(images[0], matchability0, confidence0, min_matchability, threshold, depth > 0);
    if (width > 0 && images[1].index.size() > min_keypoints)
      prune(images[1], matchability1, confidence1, min_matchability, threshold, depth > 0);
    if (images[0].index.empty() || images[1].index.empty()) return {{}, static_cast<int>(layer) + 1};
  }
  if (!assign_[layer]) assign_[layer] = open(adaptive.at("assign")[layer]);
  return assign(*assign_[layer], images[0], images[1], static_cast<int>(layer) + 1);
}

}  // namespace tiepoint
