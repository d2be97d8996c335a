// Package shm gives System V shared-memory segments that leave nothing behind.
//
// Create makes a segment, attaches it, writes a header that names its owner, and removes its id at once (IPC_RMID).
// On Linux a removed segment lives on while somebody is attached, and others can still attach it by id while its owner
// does: so children attach by the id they are told, and after kill -9 of everybody the kernel frees the memory. This is
// Linux-only behaviour.
//
// A Segment is owned by its creator until Close; Bytes stays valid until then and must not be used afterwards. All
// functions may be called concurrently; the memory itself is as safe as its users make it.
//
// Stale finds what could not be removed in time (a kill between creation and removal, or a segment kept with Keep):
// only segments with our magic, of our user, whose owner is dead.
//
// This is the only importer of shmtool. Of shmtool only Create, Attach, Detach and Destroy are used, since its Read and
// Write refuse id 0, copy, and can panic; see docs/decisions/0003-shmtool-four-calls.md.
package shm
