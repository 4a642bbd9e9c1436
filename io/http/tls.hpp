// TLS settings of a client: trust loaded once into memory, a context for each way a host is trusted.
//
// Parsing a system's bundle takes OpenSSL 80 ms, so that a context gets it only when a server shows its first certificate:
// a registry that turns out to speak plain HTTP costs nothing.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <asio/ssl/context.hpp>

#include "io/http/client.hpp"

namespace kiln::io::http {

class TlsContexts {
 public:
  // Reads the CA files now (the root file system may be replaced later).
  // Errors: Error(usage) naming a file that was asked for and cannot be read.
  explicit TlsContexts(const ClientOptions& options);

  // The context for a host: TLS 1.2 at least, peers verified unless told otherwise.
  asio::ssl::context& context_for(const Url& url, const Trust& trust);
  bool verifies(const Url& url, const Trust& trust) const;

 private:
  const HostTls* find(const std::string& host) const;
  // The host's own, else those that the request brings.
  const HostTls& settings_for(const Url& url, const Trust& trust) const;
  std::unique_ptr<asio::ssl::context> make(const HostTls& settings, bool check);
  static int verify(X509_STORE_CTX* chain, void* self);

  std::vector<std::string> bundles_;      // PEM texts
  std::set<const X509_STORE*> complete_;  // the contexts' stores that hold the bundles
  std::map<std::string, HostTls, std::less<>> hosts_;
  const HostTls defaults_;
  std::map<std::string, std::string> extra_;                                                 // file -> PEM text
  std::map<std::pair<const HostTls*, bool>, std::unique_ptr<asio::ssl::context>> contexts_;  // and whether they verify
};

}  // namespace kiln::io::http
