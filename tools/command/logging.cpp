#include "tools/command/logging.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <map>
#include <memory>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace kiln::tools {

namespace {

// logrus' names of the levels.
std::string_view name_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace: return "trace";
    case spdlog::level::debug: return "debug";
    case spdlog::level::info: return "info";
    case spdlog::level::warn: return "warning";
    case spdlog::level::err: return "error";
    default: return "fatal";
  }
}

std::string time_text(std::chrono::system_clock::time_point time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

// Of the line that this thread is logging; null: none.
thread_local const LogFields* current_fields = nullptr;

// One JSON object a line: level, msg, time, as logrus writes it; then the fields of an event.
class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    nlohmann::ordered_json line;
    line["level"] = name_of(message.level);
    line["msg"] = std::string(message.payload.data(), message.payload.size());
    line["time"] = time_text(message.time);
    if (current_fields) line.update(*current_fields);
    const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

// "INFO[0012] message", as logrus writes it to a terminal: seconds since the start, or the time.
class TextFormatter final : public spdlog::formatter {
 public:
  explicit TextFormatter(bool timestamps) : timestamps_(timestamps) {}
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    std::string level(name_of(message.level).substr(0, 4));
    std::transform(level.begin(), level.end(), level.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    const auto since = std::chrono::duration_cast<std::chrono::seconds>(message.time - start_).count();
    message.color_range_start = out.size();
    out.append(level.data(), level.data() + level.size());
    message.color_range_end = out.size();
    const std::string text = timestamps_ ? fmt::format("[{}] ", time_text(message.time)) : fmt::format("[{:04}] ", since);
    out.append(text.data(), text.data() + text.size());
    out.append(message.payload.data(), message.payload.data() + message.payload.size());
    out.push_back('\n');
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<TextFormatter>(*this); }

 private:
  bool timestamps_;
  std::chrono::system_clock::time_point start_ = std::chrono::system_clock::now();
};

spdlog::level::level_enum level_of(const std::string& name) {
  static const std::map<std::string, spdlog::level::level_enum> levels = {
      {"trace", spdlog::level::trace},    {"debug", spdlog::level::debug},   {"info", spdlog::level::info},
      {"warn", spdlog::level::warn},      {"warning", spdlog::level::warn},  {"error", spdlog::level::err},
      {"fatal", spdlog::level::critical}, {"panic", spdlog::level::critical}};
  const auto found = levels.find(name);
  if (found == levels.end()) {
    usage_error(fmt::format("--verbosity={}: it is trace, debug, info, warn, error, fatal or panic", name));
  }
  return found->second;
}

}  // namespace

// Sinks write, and formatters run, on the thread that logs.
void log_event(std::string_view event, LogFields fields, std::string_view text) {
  LogFields all = {{"event", event}};
  all.update(fields);
  current_fields = &all;
  spdlog::info("{}", text);
  current_fields = nullptr;
}

LogSettings log_settings(const ParsedFlags& flags) {
  return {flags.text("verbosity"), flags.text("log-format"), flags.boolean("log-timestamp")};
}

void set_up_logging(const LogSettings& settings) {
  std::shared_ptr<spdlog::logger> logger;
  if (settings.format == "json") {
    logger = std::make_shared<spdlog::logger>("kiln", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_formatter(std::make_unique<JsonFormatter>());
  } else if (settings.format == "text") {
    logger = std::make_shared<spdlog::logger>("kiln", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_formatter(std::make_unique<TextFormatter>(settings.timestamps));
  } else if (settings.format == "color") {
    logger = std::make_shared<spdlog::logger>("kiln", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_formatter(std::make_unique<TextFormatter>(settings.timestamps));
  } else {
    usage_error(fmt::format("--log-format={}: it is text, color or json", settings.format));
  }
  logger->set_level(level_of(settings.level));
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace kiln::tools
