// Commands that judge a configuration for the service, and not for who types them.
#pragma once

namespace holdfast::cli {

// Root becomes the service's user, for good: what only root may read, the service can't. Anybody else, and
// root where there is no such user (no package is installed), stays who it is.
void become_service_user();

}  // namespace holdfast::cli
