#include "oci/registry/client.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "oci/image/json_fields.hpp"
#include "oci/registry/session.hpp"

namespace kiln::oci {

namespace {

using io::Task;
namespace http = io::http;

std::string manifest_path(const std::string& repository, const std::string& reference) {
  return fmt::format("/v2/{}/manifests/{}", repository, reference);
}

http::Headers accept_manifests() {
  http::Headers headers;
  headers.set("Accept", fmt::format("{}, {}, {}, {}", media_type::oci_index, media_type::docker_index, media_type::oci_manifest,
                                    media_type::docker_manifest));
  return headers;
}

std::string content_type(const http::Response& response) {
  const std::string_view value = response.headers().get("Content-Type").value_or("");
  return std::string(value.substr(0, value.find(';')));
}

}  // namespace

Registry::Registry(io::Runtime& runtime, http::Client& http, std::shared_ptr<CredentialStore> credentials, std::string host,
                   RegistryAccess access, RegistryOptions options)
    : impl_(std::make_unique<Impl>(runtime, http, std::move(credentials), std::move(host), access, std::move(options))) {}
Registry::~Registry() = default;
const std::string& Registry::host() const noexcept { return impl_->session.host(); }
std::chrono::steady_clock::time_point Registry::last_answer() const noexcept { return impl_->session.last_answer(); }

// By digest the bytes must have that one; by tag, the one that the registry says they have.
Task<RawManifest> Registry::get_manifest(std::string repository, std::string reference) {
  const bool by_digest = reference.starts_with("sha256:");
  const std::string doing = fmt::format("getting manifest {}{}{}", repository, by_digest ? '@' : ':', reference);
  Session::Call call;
  call.doing = doing;
  call.path = manifest_path(repository, reference);
  call.repository = repository;
  call.headers = accept_manifests();
  RawManifest manifest;
  // A body that breaks off or does not have its digest is asked for once more.
  for (int attempt = 1;; ++attempt) {
    std::optional<io::Error> failure;
    http::Response response = co_await impl_->session.send(call);
    if (response.status() != 200) co_await impl_->session.refuse(std::move(response), doing);
    manifest.media_type = content_type(response);
    const std::string wanted(by_digest ? reference : response.headers().get("Docker-Content-Digest").value_or(""));
    try {
      manifest.bytes = co_await response.read_all(8U << 20U);
    } catch (const io::Error& error) {
      if (error.kind() != io::ErrorKind::network) throw;
      failure = error;
    }
    if (!failure) {
      manifest.digest = Digest::of(io::as_bytes(manifest.bytes));
      if (!wanted.starts_with("sha256:") || manifest.digest.text() == wanted) co_return manifest;
      failure = io::Error(io::ErrorKind::integrity, fmt::format("registry {}: {}: the bytes have digest {} and not {}", host(),
                                                                doing, manifest.digest.text(), wanted));
    }
    if (attempt >= impl_->session.options().attempts) throw *failure;
    co_await io::sleep_for(http::backoff_delay({}, attempt));
  }
}

Task<std::optional<Descriptor>> Registry::head_manifest(std::string repository, std::string reference) {
  Session::Call call;
  call.doing = fmt::format("asking for manifest {}:{}", repository, reference);
  call.method = "HEAD";
  call.path = manifest_path(repository, reference);
  call.repository = repository;
  call.headers = accept_manifests();
  http::Response response = co_await impl_->session.send(call);
  if (response.status() != 200) co_return std::nullopt;
  Descriptor descriptor;
  descriptor.media_type = content_type(response);
  descriptor.size = response.content_length().value_or(0);
  if (const auto digest = response.headers().get("Docker-Content-Digest")) descriptor.digest = Digest::parse(*digest);
  co_return descriptor;
}

Task<void> Registry::put_manifest(std::string repository, std::string reference, RawManifest manifest) {
  Session::Call call;
  call.doing = fmt::format("putting manifest {} as {}:{}", manifest.digest.text(), repository, reference);
  call.method = "PUT";
  call.path = manifest_path(repository, reference);
  call.repository = repository;
  call.actions = "pull,push";
  call.headers.set("Content-Type", manifest.media_type);
  call.body = [bytes = manifest.bytes] { return http::Body::text(bytes); };
  // A registry that took other bytes has tagged those: then the right ones are put over them.
  for (int attempt = 1;; ++attempt) {
    http::Response response = co_await impl_->session.send(call);
    if (response.status() != 201 && response.status() != 200 && response.status() != 202) {
      co_await impl_->session.refuse(std::move(response), call.doing);
    }
    const std::string stored(response.headers().get("Docker-Content-Digest").value_or(""));
    co_await response.discard();
    if (!stored.starts_with("sha256:") || stored == manifest.digest.text()) co_return;
    const io::Error failure(io::ErrorKind::integrity, fmt::format("registry {}: {}: it stored {}", host(), call.doing, stored));
    if (attempt >= impl_->session.options().attempts) throw failure;
    spdlog::warn("{}; putting it again", failure.message());
    co_await io::sleep_for(http::backoff_delay({}, attempt));
  }
}

Task<std::string> Registry::get_blob(std::string repository, Descriptor descriptor, std::size_t limit) {
  const std::string doing = fmt::format("getting blob {}@{}", repository, descriptor.digest.text());
  Session::Call call;
  call.doing = doing;
  call.path = fmt::format("/v2/{}/blobs/{}", repository, descriptor.digest.text());
  call.repository = repository;
  for (int attempt = 1;; ++attempt) {
    std::optional<io::Error> failure;
    std::string bytes;
    http::Response response = co_await impl_->session.send(call);
    if (response.status() != 200) co_await impl_->session.refuse(std::move(response), doing);
    try {
      bytes = co_await response.read_all(limit);
    } catch (const io::Error& error) {
      if (error.kind() != io::ErrorKind::network) throw;
      failure = error;
    }
    if (!failure && Digest::of(io::as_bytes(bytes)) == descriptor.digest) co_return bytes;
    if (!failure)
      failure = io::Error(io::ErrorKind::integrity, fmt::format("registry {}: {}: the bytes have another digest", host(), doing));
    if (attempt >= impl_->session.options().attempts) throw *failure;
    co_await io::sleep_for(http::backoff_delay({}, attempt));
  }
}

Task<bool> Registry::has_blob(std::string repository, Digest digest) {
  Session::Call call;
  call.doing = fmt::format("asking for blob {}@{}", repository, digest.text());
  call.method = "HEAD";
  call.path = fmt::format("/v2/{}/blobs/{}", repository, digest.text());
  call.repository = repository;
  call.actions = "pull,push";
  http::Response response = co_await impl_->session.send(call);
  co_await response.discard();
  co_return response.status() == 200;
}

Task<void> Registry::delete_manifest(std::string repository, Digest digest) {
  Session::Call call;
  call.doing = fmt::format("deleting manifest {}@{}", repository, digest.text());
  call.method = "DELETE";
  call.path = manifest_path(repository, digest.text());
  call.repository = repository;
  call.actions = "pull,delete";
  http::Response response = co_await impl_->session.send(call);
  const int status = response.status();
  if (status == 405 || status == 501) {
    throw io::Error(io::ErrorKind::unsupported, fmt::format("registry {}: {}: it deletes nothing (docker-registry wants "
                                                            "storage.delete.enabled; others have retention rules of their own)",
                                                            host(), call.doing));
  }
  if (status != 404 && (status < 200 || status > 299)) co_await impl_->session.refuse(std::move(response), call.doing);
  co_await response.discard();
}

namespace {

// Where the next page of a list is (RFC 8288: <URL>; rel="next"); empty: there is none.
std::string next_page(const http::Response& response) {
  const std::string_view link = response.headers().get("Link").value_or("");
  const auto end = link.find('>');
  if (!link.starts_with('<') || end == std::string_view::npos || link.find("next", end) == std::string_view::npos) return {};
  return std::string(link.substr(1, end - 1));
}

}  // namespace

Task<std::vector<std::string>> Registry::list_tags(std::string repository) {
  Session::Call call;
  call.doing = fmt::format("listing the tags of {}", repository);
  call.path = fmt::format("/v2/{}/tags/list?n=1000", repository);
  call.repository = repository;
  std::vector<std::string> tags;
  while (!call.path.empty()) {
    http::Response response = co_await impl_->session.send(call);
    if (response.status() == 404) co_return tags;
    if (response.status() != 200) co_await impl_->session.refuse(std::move(response), call.doing);
    std::string next = next_page(response);
    const std::string body = co_await response.read_all(8U << 20U);
    const Json document = parse_json_object(body, "the list of tags");
    for (auto& tag : text_list_field(document, "tags")) tags.push_back(std::move(tag));
    call.path = std::move(next);
  }
  co_return tags;
}

namespace {

// A user who may push need not be allowed to list tags: what is refused, or makes no sense, is no answer.
Task<bool> has_no_tags(Session& session, std::string repository) {
  Session::Call call;
  call.doing = fmt::format("listing the tags of {}", repository);
  call.path = fmt::format("/v2/{}/tags/list?n=1", repository);
  call.repository = repository;
  call.actions = "pull,push";
  http::Response response = co_await session.send(call);
  const int status = response.status();
  const std::string body = co_await response.read_all(1U << 20U);
  if (status == 404) co_return true;
  if (status != 200) co_return false;
  const Json document = parse_json_object(body, "the list of tags");
  const Json* tags = member(document, "tags");
  co_return !tags || tags->empty();
}

}  // namespace

Task<bool> Registry::is_empty(std::string repository) {
  bool empty = false;
  try {
    empty = co_await has_no_tags(impl_->session, std::move(repository));
  } catch (const io::Error& error) {
    if (error.kind() != io::ErrorKind::denied && error.kind() != io::ErrorKind::protocol) throw;
    spdlog::debug("{}", error.message());
  }
  co_return empty;
}

}  // namespace kiln::oci
