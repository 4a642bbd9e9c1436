// Archives in a cloud's storage as contexts: how they are asked for.
#pragma once

#include <string>

#include "io/http/client.hpp"
#include "io/loop/task.hpp"

namespace kiln::engine {

// s3://BUCKET[/KEY], gs://BUCKET[/KEY], https://ACCOUNT.blob.core.windows.net/CONTAINER/BLOB (and Azure's other clouds).
bool is_bucket(const std::string& url);

// A request for the archive, logged in. Without a key it is context.tar.gz.
//   s3     AWS's own place or S3_ENDPOINT, then with the bucket in the path if S3_FORCE_PATH_STYLE=true. Signed with the keys that
//          AWS's SDKs would find, for AWS_REGION, AWS_DEFAULT_REGION or us-east-1.
//   gs     Application Default Credentials; STORAGE_EMULATOR_HOST is another place, which is asked without a login.
//   Azure  the account's key in AZURE_STORAGE_ACCESS_KEY; without it the URL is taken as it is (a shared access signature).
// Errors: io::Error(usage) for what is no such URL; denied when there are no credentials.
io::Task<io::http::Request> bucket_request(io::http::Client& http, std::string url);

}  // namespace kiln::engine
