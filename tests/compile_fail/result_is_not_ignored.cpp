// error: nodiscard
// A failure that nobody looks at is a warning, and an error here.
#include <mainspring/session.h>

void forget(mainspring::Session& session) {
#ifdef CONTROL
  if (!session.truncate(0, 0)) return;
#else
  session.truncate(0, 0);
#endif
}
