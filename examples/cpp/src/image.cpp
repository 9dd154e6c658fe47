#include "image.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#define STB_IMAGE_IMPLEMENTATION
#include <stb_image.h>

namespace tiepoint {
namespace {

struct Filter {
  int start = 0;  // first input
  std::vector<float> weights;
};

// The filter of each output, rounded to float32 where torch rounds: see src/tiepoint/image/array_resize.py.
std::vector<Filter> filters(int length, int new_length) {
  const float scale = static_cast<float>(length) / static_cast<float>(new_length);
  const float support = std::max(scale, 1.0f);
  std::vector<Filter> all(new_length);
  for (int i = 0; i < new_length; ++i) {
    const auto center = static_cast<float>(static_cast<double>(scale) * (i + 0.5));
    const int start = std::max(static_cast<int>(static_cast<double>(center - support) + 0.5), 0);
    const int end = std::min(static_cast<int>(static_cast<double>(center + support) + 0.5), length);
    all[i].start = start;
    float total = 0;
    for (int j = start; j < end; ++j) {
      const double distance = (static_cast<double>(static_cast<float>(j) - center) + 0.5) * (1.0f / support);
      all[i].weights.push_back(std::max(0.0f, 1.0f - std::abs(static_cast<float>(distance))));
      total += all[i].weights.back();
    }
    for (float& weight : all[i].weights) weight /= total;
  }
  return all;
}

}  // namespace

Image read_image(const std::string& path) {
  Image image;
  unsigned char* data = stbi_load(path.c_str(), &image.width, &image.height, nullptr, 3);
  if (data == nullptr) throw std::runtime_error("cannot read image " + path + ": " + stbi_failure_reason());
  const size_t area = static_cast<size_t>(image.width) * image.height;
  image.pixels.resize(3 * area);
  for (size_t i = 0; i < area; ++i)
    for (size_t c = 0; c < 3; ++c) image.pixels[c * area + i] = data[3 * i + c];
  stbi_image_free(data);
  return image;
}

Image resize(const Image& image, int width, int height) {
  Image narrowed{width, image.height, std::vector<float>(3UL * width * image.height)};
  const auto columns = filters(image.width, width);
  for (size_t row = 0; row < 3UL * image.height; ++row)
    for (int x = 0; x < width; ++x) {
      const float* source = &image.pixels[row * image.width + columns[x].start];
      float sum = 0;
      for (size_t j = 0; j < columns[x].weights.size(); ++j) sum += columns[x].weights[j] * source[j];
      narrowed.pixels[row * width + x] = sum;
    }
  Image resized{width, height, std::vector<float>(3UL * width * height)};
  const auto rows = filters(image.height, height);
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < height; ++y) {
      float* target = &resized.pixels[(static_cast<size_t>(c) * height + y) * width];
      for (size_t j = 0; j < rows[y].weights.size(); ++j) {
        const float* source = &narrowed.pixels[(static_cast<size_t>(c) * image.height + rows[y].start + j) * width];
        for (int x = 0; x < width; ++x) target[x] += rows[y].weights[j] * source[x];
      }
    }
  return resized;
}

}  // namespace tiepoint
