// Package runtime runs one process in a root: a directory that holds a whole
// file system, ready to be entered.
//
// The process sees what a process of docker sees: the capabilities of the OCI
// default set, moby's default seccomp profile, its masked and read-only paths,
// /dev, /proc, /sys, /etc/hosts, /etc/hostname and /etc/resolv.conf. The work is
// done by runc 1.5, as libcontainer, in a program of its own, inlay-runc (the
// folder of that name), because libcontainer needs cgo and this package must
// not. See [Find] for where it is looked for.
//
// Where cgroups cannot be written, in many containers, a process runs without
// one, and then also without CAP_MKNOD: it is a cgroup that keeps a device node
// from being opened.
//
// # Nothing is left behind
//
// inlay-runc is started as the first process of a pid namespace, and dies with
// the thread that started it. With it the kernel ends every process below it,
// so a killed engine leaves no running process, whatever the processes in the
// root tried. Directories that a kill leaves (the runtime's state, cgroups) are
// found by [Sweep]; their owner holds a kernel lock as long as it lives.
//
// Mount points that the root lacks are made before the process starts and taken
// away after it ends, with the times of their parents put back, so the caller
// captures what the process did and nothing else.
package runtime
