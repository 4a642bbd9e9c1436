#include "engine/build/publisher.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "io/http/retry.hpp"

namespace kiln::engine {

namespace {

using io::Task;
using namespace std::chrono_literals;

// A layer that gets this large is streamed to a repository that cannot have it yet.
constexpr std::uint64_t stream_above = 4U << 20U;
// How long unpacking waits to know whether what it reads has to be kept for sending: two round trips on most networks.
constexpr auto longest_answer = 500ms;
constexpr auto answer_interval = 5ms;

// What Artifact Registry and ECR answer for a tag that must not be overwritten (and what Kaniko looks for).
bool is_immutable_tag(const io::Error& error) {
  const std::string& text = error.message();
  return text.find("The repository has enabled tag immutability") != std::string::npos ||
         text.find("cannot be overwritten because the tag is immutable") != std::string::npos ||
         text.find("cannot be overwritten because the repository is immutable") != std::string::npos;
}

Task<void> run_attempts(int retries, std::function<Task<void>()> attempt) {
  for (int tried = 0;; ++tried) {
    std::optional<io::Error> failure;
    try {
      co_await attempt();
      co_return;
    } catch (const io::Error& error) {
      failure = error;
    }
    if (tried >= retries || failure->kind() == io::ErrorKind::cancelled) throw *failure;
    spdlog::warn("{}; pushing again", failure->message());
    co_await io::sleep_for(std::chrono::seconds(1LL << std::min(tried, 6)));
  }
}

}  // namespace

Publisher::Publisher(Session& session, const std::vector<std::string>& destinations) : session_(session) {
  for (const auto& text : destinations) {
    oci::Reference reference = oci::parse_reference(text);
    if (reference.tag.empty()) {
      throw io::Error(io::ErrorKind::usage, fmt::format("destination '{}' has a digest and no tag: it cannot be pushed to", text));
    }
    oci::Registry& registry = session_.hub.for_push(reference.registry);
    auto target = std::find_if(targets_.begin(), targets_.end(), [&](const Target& known) {
      return known.registry == &registry && known.repository == reference.repository;
    });
    if (target == targets_.end()) {
      targets_.push_back({&registry, reference.repository, false, {}});
      target = targets_.end() - 1;
    }
    target->references.push_back(std::move(reference));
  }
}

// Before anything is built: what cannot be pushed need not be.
Task<void> Publisher::check_push(Target& target) {
  std::optional<io::Error> failure;
  try {
    co_await target.registry->check_push(target.repository);
  } catch (const io::Error& error) {
    failure = error;
  }
  if (!failure) co_return;
  if (failure->kind() != io::ErrorKind::denied) throw *failure;
  const char* hint = std::getenv("DOCKER_AUTH_CONFIG") ? "; DOCKER_AUTH_CONFIG is set and comes before config.json" : "";
  throw io::Error(io::ErrorKind::denied,
                  fmt::format("{}{}; nothing was built (--skip-push-permission-check builds first)", failure->message(), hint));
}

Task<void> Publisher::prepare() {
  const PhaseClock::Activity resolving(session_.clock, "resolve");
  for (auto& target : targets_) {
    if (!session_.request.registries.skip_push_check) co_await check_push(target);
    target.empty = co_await target.registry->is_empty(target.repository);
  }
}

void Publisher::push_layer(ImageLayerPtr layer) {
  if (!targets_.empty()) session_.transfers.spawn(push_to_all(std::move(layer)));
}

bool Publisher::may_send(const ImageLayer& layer) const {
  if (layer.pushed) return false;
  return std::ranges::any_of(
      targets_, [&layer](const Target& target) { return !layer.origin || layer.origin->host() != target.registry->host(); });
}

Task<void> Publisher::wait_for_answers(const std::vector<ImageLayerPtr>& layers) const {
  const auto open = [this](const ImageLayerPtr& layer) {
    const bool to_be_sent = layer->blob && layer->blob->wanted();
    return layer->base() && !to_be_sent && may_send(*layer);
  };
  for (auto waited = 0ms; waited < longest_answer && std::ranges::any_of(layers, open); waited += answer_interval) {
    co_await io::sleep_for(answer_interval);
  }
}

Task<void> Publisher::push_to_all(ImageLayerPtr layer) {
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    std::string mount_from;
    for (std::size_t earlier = 0; earlier < i; ++earlier) {
      if (targets_[earlier].registry == targets_[i].registry) mount_from = targets_[earlier].repository;
    }
    co_await push_to(targets_[i], layer, mount_from);
  }
  layer->pushed = true;
  session_.layer_pushed.notify_all();
}

// Present or mounted: then nothing has to be sent. A layer without a digest yet cannot be asked for.
Task<bool> Publisher::already_there(Target& target, ImageLayerPtr layer, std::string mount_from) {
  if (layer->origin && layer->origin->host() == target.registry->host()) {
    if (layer->origin_repository == target.repository) {
      ++session_.blobs_present;
      co_return true;
    }
    if (mount_from.empty()) mount_from = layer->origin_repository;
  }
  const bool unasked = !layer->origin && !layer->image.repository.empty();  // a base that its registry was not asked for
  if (unasked && mount_from.empty() && layer->image.repository != target.repository &&
      session_.hub.for_push(layer->image.registry).host() == target.registry->host()) {
    mount_from = layer->image.repository;
  }
  if (!target.empty || layer->base()) {
    const bool present = co_await target.registry->has_blob(target.repository, layer->descriptor.digest);
    if (present) {
      ++session_.blobs_present;
      co_return true;
    }
  }
  if (mount_from.empty()) co_return false;
  const bool mounted = co_await target.registry->mount(target.repository, layer->descriptor.digest, mount_from);
  if (mounted) ++session_.blobs_mounted;
  co_return mounted;
}

Task<void> Publisher::push_to(Target& target, ImageLayerPtr layer, std::string mount_from) {
  if (!layer->base()) {
    while (!layer->blob->completed() && (!target.empty || layer->blob->available() < stream_above)) {
      co_await layer->blob->wait_beyond(layer->blob->available());
    }
  }
  // A layer of this build has its descriptor once its blob is complete; the capture fills it in right after.
  const bool known = layer->base() || layer->blob->completed();
  std::optional<oci::Descriptor> descriptor;
  if (known) {
    descriptor = layer->descriptor;
    if (!layer->base()) {
      descriptor->digest = layer->blob->digest();
      descriptor->size = layer->blob->size();
      layer->descriptor.digest = descriptor->digest;
    }
    const bool there = co_await already_there(target, layer, mount_from);
    if (there) co_return;
  }
  const PhaseClock::Activity pushing(
      session_.clock, "push",
      fmt::format("{} to {}", descriptor ? descriptor->digest.text() : "a growing layer", target.repository));
  const oci::SpoolBlobPtr blob = want_bytes(session_, layer);
  const int transfer = session_.next_transfer++;
  session_.progress.transfer_started(
      transfer,
      fmt::format("push {}to {}", descriptor ? fmt::format("{} ", descriptor->digest.hex().substr(0, 12)) : "", target.repository),
      descriptor ? descriptor->size : 0);
  const oci::OnBytes on_bytes = [this, transfer](std::uint64_t bytes) {
    session_.bytes_pushed += bytes;
    session_.clock.add_bytes("push", bytes);
    session_.progress.transfer_advanced(transfer, bytes);
  };
  const auto attempt = [&target, &blob, &descriptor, &on_bytes] {
    return target.registry->upload(target.repository, blob, descriptor, on_bytes);
  };
  co_await run_attempts(session_.request.registries.push_retries, attempt);
  ++session_.blobs_pushed;
  session_.progress.transfer_finished(transfer, descriptor ? "" : blob->digest().hex().substr(0, 12));
}

Task<std::vector<std::string>> Publisher::push_image(const oci::Image& image) {
  const PhaseClock::Activity pushing(session_.clock, "push", "config and manifest");
  std::vector<std::string> pushed;
  for (auto& target : targets_) {
    const bool present = co_await target.registry->has_blob(target.repository, image.manifest.config.digest);
    if (!present) {
      co_await target.registry->upload_bytes(target.repository, image.config_bytes, image.manifest.config.digest);
      ++session_.blobs_pushed;
    }
    oci::RawManifest manifest;
    manifest.bytes = image.manifest_bytes;
    manifest.media_type =
        image.manifest.format == oci::ImageFormat::oci ? oci::media_type::oci_manifest : oci::media_type::docker_manifest;
    manifest.digest = image.manifest_digest;
    for (const auto& reference : target.references) {
      const auto attempt = [&target, &reference, &manifest] {
        return target.registry->put_manifest(target.repository, reference.tag, manifest);
      };
      std::optional<io::Error> failure;
      try {
        co_await run_attempts(session_.request.registries.push_retries, attempt);
      } catch (const io::Error& error) {
        failure = error;
      }
      if (failure && !(session_.request.registries.ignore_immutable_tags && is_immutable_tag(*failure))) throw *failure;
      if (failure) spdlog::warn("{} is there already and cannot be overwritten: {}", reference.text(), failure->message());
      pushed.push_back(reference.text());
    }
  }
  co_return pushed;
}

}  // namespace kiln::engine
