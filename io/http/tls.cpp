#include "io/http/tls.hpp"

#include <cstdlib>
#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "io/base/error.hpp"
#include "io/file/read_file.hpp"

namespace kiln::io::http {

namespace {

std::string required_file(const std::string& path, std::string_view what) {
  auto text = read_file(path);
  if (!text) throw Error(ErrorKind::usage, fmt::format("reading {} '{}': cannot be read", what, path));
  return std::move(*text);
}

void add_directory(const std::string& directory, std::vector<std::string>& bundles) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (!entry.is_regular_file(ignored)) continue;
    if (auto text = read_file(entry.path())) bundles.push_back(std::move(*text));
  }
}

// Where trust comes from when nobody says: the variables OpenSSL knows, the bundle beside the program, the system's.
void add_default_bundles(std::vector<std::string>& bundles) {
  const char* file = std::getenv("SSL_CERT_FILE");
  const char* directories = std::getenv("SSL_CERT_DIR");
  if (file) {
    if (auto text = read_file(file)) bundles.push_back(std::move(*text));
  }
  std::string_view rest = directories ? directories : "";
  while (!rest.empty()) {
    const auto colon = std::min(rest.find(':'), rest.size());
    add_directory(std::string(rest.substr(0, colon)), bundles);
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  if (!bundles.empty()) return;
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const auto& path : {(program / "ssl/certs/ca-certificates.crt").string(), std::string("/etc/ssl/certs/ca-certificates.crt"),
                           std::string("/etc/pki/tls/certs/ca-bundle.crt"), std::string("/etc/ssl/cert.pem")}) {
    if (auto text = read_file(path)) {
      bundles.push_back(std::move(*text));
      return;
    }
  }
}

// Adds every certificate of a PEM text; what is no certificate is skipped.
int add_certificates(X509_STORE* store, const std::string& pem) {
  const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  int added = 0;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    added += X509_STORE_add_cert(store, certificate) == 1 ? 1 : 0;
    X509_free(certificate);
  }
  ERR_clear_error();
  return added;
}

}  // namespace

TlsContexts::TlsContexts(const ClientOptions& options) : hosts_(options.hosts) {
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  for (const auto& file : options.ca_files) bundles_.push_back(required_file(file, "CA file"));
  for (const auto& directory : options.ca_directories) add_directory(directory, bundles_);
  add_default_bundles(bundles_);
  const auto remember = [this](const HostTls& host) {
    for (const auto& file : host.extra_ca_files) extra_[file] = required_file(file, "registry certificate");
    if (host.client_certificate_file.empty()) return;
    extra_[host.client_certificate_file] = required_file(host.client_certificate_file, "client certificate");
    extra_[host.client_key_file] = required_file(host.client_key_file, "client key");
  };
  for (const auto& host : hosts_) remember(host.second);
}

const HostTls* TlsContexts::find(const std::string& host) const {
  const auto found = hosts_.find(host);
  return found == hosts_.end() ? nullptr : &found->second;
}

const HostTls& TlsContexts::settings_for(const Url& url, const Trust& trust) const {
  for (const auto& name : {fmt::format("{}:{}", url.host, url.port), url.host, trust.host}) {
    if (const HostTls* found = find(name)) return *found;
  }
  return defaults_;
}

bool TlsContexts::verifies(const Url& url, const Trust& trust) const {
  return !trust.skip_verify && !settings_for(url, trust).skip_verify;
}

asio::ssl::context& TlsContexts::context_for(const Url& url, const Trust& trust) {
  const HostTls& settings = settings_for(url, trust);
  const bool check = verifies(url, trust);
  auto& context = contexts_[{&settings, check}];
  if (!context) context = make(settings, check);
  return *context;
}

int TlsContexts::verify(X509_STORE_CTX* chain, void* self) {
  auto& contexts = *static_cast<TlsContexts*>(self);
  X509_STORE* store = X509_STORE_CTX_get0_store(chain);
  if (contexts.complete_.insert(store).second) {
    for (const auto& bundle : contexts.bundles_) add_certificates(store, bundle);
  }
  return X509_verify_cert(chain);
}

std::unique_ptr<asio::ssl::context> TlsContexts::make(const HostTls& settings, bool check) {
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
  SSL_CTX* native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  if (!check) {
    context->set_verify_mode(asio::ssl::verify_none);
  } else {
    context->set_verify_mode(asio::ssl::verify_peer);
    SSL_CTX_set_cert_verify_callback(native, verify, this);
    X509_STORE* store = SSL_CTX_get_cert_store(native);
    for (const auto& file : settings.extra_ca_files) {
      if (add_certificates(store, extra_[file]) == 0) {
        throw Error(ErrorKind::usage, fmt::format("registry certificate '{}' holds no certificate in PEM form", file));
      }
    }
  }
  if (settings.client_certificate_file.empty()) return context;
  asio::error_code error;
  context->use_certificate_chain(asio::buffer(extra_[settings.client_certificate_file]), error);
  if (!error) context->use_private_key(asio::buffer(extra_[settings.client_key_file]), asio::ssl::context::pem, error);
  if (error) {
    throw Error(ErrorKind::usage, fmt::format("client certificate '{}' with key '{}': {}", settings.client_certificate_file,
                                              settings.client_key_file, error.message()));
  }
  return context;
}

}  // namespace kiln::io::http
