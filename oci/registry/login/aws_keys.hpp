// The keys that sign requests to AWS, from where its SDKs look for them.
#pragma once

#include <optional>
#include <string>

#include "io/http/client.hpp"
#include "io/loop/task.hpp"
#include "oci/registry/login/aws_signature.hpp"

namespace kiln::oci {

struct AwsPlace {
  std::string region;
  std::string domain;  // "amazonaws.com", "amazonaws.com.cn"
};

// In this order: variables, a web identity (EKS service accounts), the credentials file, the container's endpoint (ECS, EKS pod
// identity), the instance's metadata service (IMDSv2). Errors: io::Error(denied) when a web identity is refused.
io::Task<std::optional<AwsKeys>> find_aws_keys(io::http::Client& http, AwsPlace place);

// A service's URL with '/' at its end: what the variable, else AWS_ENDPOINT_URL, else `standard` says.
std::string aws_endpoint(const char* variable, const std::string& standard);

}  // namespace kiln::oci
