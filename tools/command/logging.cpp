#include "tools/command/logging.hpp"

#include <map>
#include <memory>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"

namespace kiln::tools {

namespace {

// One JSON object a line: level, msg, time, as logrus writes it.
class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    nlohmann::ordered_json line;
    const auto level = spdlog::level::to_string_view(message.level);
    line["level"] = std::string(level.data(), level.size());
    line["msg"] = std::string(message.payload.data(), message.payload.size());
    line["time"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(message.time)));
    const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

spdlog::level::level_enum level_of(const std::string& name) {
  static const std::map<std::string, spdlog::level::level_enum> levels = {
      {"trace", spdlog::level::trace},    {"debug", spdlog::level::debug},   {"info", spdlog::level::info},
      {"warn", spdlog::level::warn},      {"warning", spdlog::level::warn},  {"error", spdlog::level::err},
      {"fatal", spdlog::level::critical}, {"panic", spdlog::level::critical}};
  const auto found = levels.find(name);
  if (found == levels.end()) {
    throw io::Error(io::ErrorKind::usage,
                    fmt::format("--verbosity={}: it is trace, debug, info, warn, error, fatal or panic", name));
  }
  return found->second;
}

}  // namespace

void set_up_logging(const std::string& level, const std::string& format, bool timestamps) {
  std::shared_ptr<spdlog::logger> logger;
  const std::string when = timestamps ? "%Y-%m-%dT%H:%M:%S%z " : "";
  if (format == "json") {
    logger = std::make_shared<spdlog::logger>("kiln", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_formatter(std::make_unique<JsonFormatter>());
  } else if (format == "text") {
    logger = std::make_shared<spdlog::logger>("kiln", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern(when + "%l %v");
  } else if (format == "color") {
    logger = std::make_shared<spdlog::logger>("kiln", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_pattern(when + "%^%l%$ %v");
  } else {
    throw io::Error(io::ErrorKind::usage, fmt::format("--log-format={}: it is text, color or json", format));
  }
  logger->set_level(level_of(level));
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace kiln::tools
