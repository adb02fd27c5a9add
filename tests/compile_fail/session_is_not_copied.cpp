// error: deleted
// A session owns an arena and KV: it moves.
#include <mainspring/session.h>

mainspring::Session other(mainspring::Session& session) {
#ifdef CONTROL
  return std::move(session);
#else
  return session;
#endif
}
