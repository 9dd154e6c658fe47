// Matches each camera image with a key frame. Not measured here: needs ROS 2.
#include <memory>
#include <optional>
#include <rclcpp/rclcpp.hpp>
#include <sensor_msgs/msg/image.hpp>
#include <std_msgs/msg/float32_multi_array.hpp>

#include "matcher.hpp"

namespace {

// Red, green and blue bytes of a pixel; nothing for other encodings.
struct Layout {
  size_t bytes_per_pixel;
  size_t channels[3];
};

std::optional<Layout> layout_of(const std::string& encoding) {
  if (encoding == "rgb8") return Layout{3, {0, 1, 2}};
  if (encoding == "bgr8") return Layout{3, {2, 1, 0}};
  if (encoding == "mono8") return Layout{1, {0, 0, 0}};
  return std::nullopt;
}

tiepoint::Image to_image(const sensor_msgs::msg::Image& message, const Layout& layout) {
  tiepoint::Image image{static_cast<int>(message.width), static_cast<int>(message.height), {}};
  image.pixels.reserve(3UL * message.width * message.height);
  for (const size_t channel : layout.channels)
    for (size_t y = 0; y < message.height; ++y)
      for (size_t x = 0; x < message.width; ++x)
        image.pixels.push_back(message.data[y * message.step + x * layout.bytes_per_pixel + channel]);
  return image;
}

class MatcherNode : public rclcpp::Node {
 public:
  MatcherNode()
      : Node("tiepoint_matcher"),
        matcher_(declare_parameter<std::string>("bundle")),
        min_matches_(declare_parameter<int>("keyframe_min_matches", 30)),
        publisher_(create_publisher<std_msgs::msg::Float32MultiArray>("matches", 10)) {
    subscription_ = create_subscription<sensor_msgs::msg::Image>(
        "image", rclcpp::SensorDataQoS(),
        [this](const sensor_msgs::msg::Image::ConstSharedPtr& message) { on_image(*message); });
  }

 private:
  void on_image(const sensor_msgs::msg::Image& message) {
    const auto layout = layout_of(message.encoding);
    if (!layout) {
      RCLCPP_ERROR_ONCE(get_logger(), "unsupported encoding %s; expected rgb8, bgr8 or mono8",
                        message.encoding.c_str());
      return;
    }
    const auto features = matcher_.extract(to_image(message, *layout));
    if (!keyframe_) keyframe_ = features;
    const auto found = matcher_.match(*keyframe_, features);
    publisher_->publish(to_message(*keyframe_, features, found.matches));
    if (static_cast<int>(found.matches.size()) < min_matches_) keyframe_ = features;
  }

  static std_msgs::msg::Float32MultiArray to_message(const tiepoint::Features& features0,
                                                     const tiepoint::Features& features1,
                                                     const std::vector<tiepoint::Match>& matches) {
    std_msgs::msg::Float32MultiArray message;
    message.layout.dim.resize(2);
    message.layout.dim[0].label = "match";
    message.layout.dim[0].size = matches.size();
    message.layout.dim[0].stride = 5 * matches.size();
    message.layout.dim[1].label = "x0, y0, x1, y1, score";
    message.layout.dim[1].size = message.layout.dim[1].stride = 5;
    for (const auto& [index0, index1, score] : matches) {
      const float* a = &features0.keypoints.floats()[2 * index0];
      const float* b = &features1.keypoints.floats()[2 * index1];
      message.data.insert(message.data.end(), {a[0], a[1], b[0], b[1], score});
    }
    return message;
  }

  tiepoint::Matcher matcher_;
  int min_matches_;
  std::optional<tiepoint::Features> keyframe_;
  rclcpp::Publisher<std_msgs::msg::Float32MultiArray>::SharedPtr publisher_;
  rclcpp::Subscription<sensor_msgs::msg::Image>::SharedPtr subscription_;
};

}  // namespace

int main(int argc, char** argv) {
  rclcpp::init(argc, argv);
  rclcpp::spin(std::make_shared<MatcherNode>());
  rclcpp::shutdown();
  return 0;
}
