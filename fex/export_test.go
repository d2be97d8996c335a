package fex

import "os/exec"

// What black-box tests need of the spawner.

// GuardPID is the process id of a spawner's guard.
func GuardPID(s *Spawner) int { return s.guard.Process.Pid }

// SpawnerStart starts a command.
func SpawnerStart(s *Spawner, cmd *exec.Cmd) error { return s.start(cmd) }

// SpawnerEnded takes a group off the guard's list.
func SpawnerEnded(s *Spawner, pid int) { s.ended(pid) }
