// The registry protocol (OCI distribution-spec 1.1, Docker's token authentication).
//
// A Registry is one host as one user sees it. It keeps tokens by scope, so a login happens once for each scope, and it
// tries again what a busy or broken registry makes fail: 429 and 5xx with back-off and Retry-After, broken downloads
// from the byte where they broke (Range), broken uploads from where the registry says it stands, or from the start of
// the spool.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/http/client.hpp"
#include "io/loop/runtime.hpp"
#include "oci/blob/passage.hpp"
#include "oci/blob/spool.hpp"
#include "oci/image/manifest.hpp"
#include "oci/image/reference.hpp"
#include "oci/registry/credentials.hpp"

namespace kiln::oci {

// How a registry is reached.
struct RegistryAccess {
  bool plain_http = false;  // http is allowed: https is tried first, then http. localhost, 127.*, ::1, *.local and
                            // private addresses (RFC 1918) always count as allowed, as with Kaniko.
  bool skip_tls_verify = false;
};

struct RegistryOptions {
  std::string upload_user_agent;                       // empty: the client's
  int attempts = 5;                                    // of every request, the first included
  std::uint64_t upload_chunk_size = 0;                 // 0: one request; else PATCH in chunks of this many bytes
  std::uint64_t parallel_download_above = 32U << 20U;  // larger blobs come in ranges where the registry allows it
  unsigned ranges = 4;
};

// A manifest or index as it came, with the digest of its bytes checked.
struct RawManifest {
  std::string bytes;
  std::string media_type;
  Digest digest;
};

// Tells how many bytes of a blob have passed, for progress; may be empty.
using OnBytes = std::function<void(std::uint64_t bytes)>;

class Registry {
 public:
  // host: "docker.io" is reached as registry-1.docker.io.
  Registry(io::Runtime& runtime, io::http::Client& http, std::shared_ptr<CredentialStore> credentials, std::string host,
           RegistryAccess access, RegistryOptions options);
  ~Registry();
  const std::string& host() const noexcept;
  // When it last answered a request, whatever it said; a gateway's word that it is not there (502, 503, 504) is no answer.
  std::chrono::steady_clock::time_point last_answer() const noexcept;

  // Errors: not_found, denied, network, protocol, integrity; each names registry, repository and reference.
  io::Task<RawManifest> get_manifest(std::string repository, std::string reference);
  io::Task<std::optional<Descriptor>> head_manifest(std::string repository, std::string reference);
  io::Task<void> put_manifest(std::string repository, std::string reference, RawManifest manifest);

  // A small blob (config) in memory, digest checked.
  io::Task<std::string> get_blob(std::string repository, Descriptor descriptor, std::size_t limit = 16U << 20U);
  // Fills `blob` and completes it once size and digest have been verified; on any failure fails it and throws.
  // The digest is computed on the waiting pool as the bytes pass.
  io::Task<void> download(std::string repository, Descriptor descriptor, SpoolBlobPtr blob, OnBytes on_bytes);
  // The same through memory, from the first byte to the last; ends early, without an error, when the consumer has gone. Where one
  // connection does not feed the consumer, the rest of a large blob comes over several, by way of a spool that `make_spool` makes.
  using MakeSpool = std::function<SpoolBlobPtr()>;
  io::Task<void> download(std::string repository, Descriptor descriptor, PassagePtr passage, MakeSpool make_spool,
                          OnBytes on_bytes);

  io::Task<bool> has_blob(std::string repository, Digest digest);
  // True when the repository has no tags yet, or does not exist: then a HEAD before an upload cannot find anything.
  io::Task<bool> is_empty(std::string repository);
  // Every tag, in as many pages as the registry gives. A repository that does not exist has none.
  io::Task<std::vector<std::string>> list_tags(std::string repository);
  // Deletes a manifest and with it all tags that name it. Errors: also unsupported, where the registry does not delete; gone is
  // gone.
  io::Task<void> delete_manifest(std::string repository, Digest digest);
  // Cross-repository mount: true when the registry now has the blob in `repository`.
  io::Task<bool> mount(std::string repository, Digest digest, std::string from_repository);
  // Uploads while the spool grows. With a known digest and size: one PUT. Without: one streamed PATCH, then PUT with the
  // digest once the blob is complete. Resumes or restarts from the spool on faults.
  io::Task<void> upload(std::string repository, SpoolBlobPtr blob, std::optional<Descriptor> known, OnBytes on_bytes);
  io::Task<void> upload_bytes(std::string repository, std::string bytes, Digest digest);
  // Starts an upload and cancels it: may we push? Throws denied with a hint when not.
  io::Task<void> check_push(std::string repository);

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace kiln::oci
