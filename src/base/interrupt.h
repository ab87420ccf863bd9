// The wish to stop the whole process (Ctrl-C, SIGTERM, SIGHUP), looked at by everything that may take longer
// than a second. Thread safe.
#pragma once

#include <atomic>

namespace sdft {

extern std::atomic<bool> interrupted;
// Error(kInterrupted) once `interrupted` is true. Cheap enough for inner loops.
void stop_if_interrupted();

// Sets `interrupted` and wakes up who waits for a descriptor; false where it was set already.
bool request_interrupt();
// Takes the wish back: the work it stopped was only a part (an answer of a conversation).
void forget_interrupt();
// Readable while `interrupted` is set: to be polled beside whatever else is waited for. -1 where descriptors
// are used up; poll() then has to end by itself now and then.
int interrupt_descriptor();

}  // namespace sdft
