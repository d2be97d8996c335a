package wire

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/internal/testkit"
)

// hold listens until it is killed.
func hold(path string) {
	if _, err := NewPub(Options{}).Listen(Endpoint{Path: path}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("listening")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// visit tries, as another user, to be let in, and then offers a socket of its own.
func visit(path string) {
	c, err := net.Dial("unix", path)
	if err == nil {
		_ = c.SetDeadline(time.Now().Add(patience))
		_, err = c.Read(make([]byte, 1))
	}
	fmt.Println("visit:", err)
	l, err := net.Listen("unix", path+"-stranger")
	if err == nil {
		err = os.Chmod(path+"-stranger", 0o777)
	}
	fmt.Println("offer:", err)
	if c, err := l.Accept(); err == nil {
		_ = c.SetDeadline(time.Now().Add(patience))
		n, err := c.Read(make([]byte, 1))
		fmt.Println("visitor:", n, err)
	}
}

// other starts this program in another role.
func other(t *testing.T, role string, e Endpoint) (cmd *exec.Cmd, out io.Reader) {
	t.Helper()
	cmd = exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "WIRE_TEST_ROLE="+role, "WIRE_TEST_PATH="+e.Path)
	cmd.Dir = "/"
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err = cmd.StdoutPipe()
	must(t, err)
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, out
}

func TestASocketOfAKilledOwnerIsTakenOver(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	cmd, out := other(t, "owner", e)
	must(t, cmd.Start())
	said := make([]byte, 9)
	if _, err := io.ReadFull(out, said); err != nil || string(said) != "listening" {
		t.Fatalf("%q, %v", said, err)
	}
	_, err := NewPub(Options{}).Listen(e)
	if want := fmt.Sprintf("process %d", cmd.Process.Pid); err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("a second owner: %v", err)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if _, err := os.Lstat(e.Path); err != nil {
		t.Fatalf("a killed owner leaves its socket: %v", err)
	}
	p := publish(t, Options{}, e)
	must(t, p.Keep("n"))
	expect(t, subscribe(t, e), "n: ")
}

func TestNothingIsLeftAndNothingOfOthersIsTaken(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	dir := filepath.Dir(e.Path)
	old := syscall.Umask(0)
	p := publish(t, Options{}, e)
	syscall.Umask(old)
	for _, name := range []string{e.Path, e.Path + ".lock"} {
		if info, err := os.Lstat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
	p.Close()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}

	must(t, os.WriteFile(e.Path, []byte("precious"), 0o600))
	refused(t, e, "is no socket")
	must(t, os.Remove(e.Path))
	must(t, os.Symlink("/dev/null", e.Path))
	refused(t, e, "is no socket")
	must(t, os.Remove(e.Path))
	living, err := net.Listen("unix", e.Path) // who knows of no lock
	must(t, err)
	refused(t, e, "somebody listens")
	must(t, living.Close())
	must(t, os.Chmod(dir, 0o755))
	refused(t, e, "(it must be 0700): chmod 700 ")
	must(t, os.Chmod(dir, 0o777|os.ModeSticky))
	refused(t, e, "is a folder for everybody (it has the sticky bit), and sockets lie in one of this user alone (mode 0700): make one of your own")
}

func refused(t *testing.T, e Endpoint, want string) {
	t.Helper()
	before, _ := os.Lstat(e.Path)
	if _, err := NewPub(Options{}).Listen(e); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%q is not in %v", want, err)
	}
	if after, _ := os.Lstat(e.Path); before != nil && !os.SameFile(before, after) {
		t.Error("what was there is gone")
	}
}

// TestStrangers: a process of another user, to whom the folder and the socket were opened by mistake, is not let in, and
// a socket of his is not trusted.
func TestStrangers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	testkit.NoLeaks(t)
	e := place(t)
	p := publish(t, Options{}, e)
	for dir := filepath.Dir(e.Path); dir != os.TempDir(); dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o777))
	}
	must(t, os.Chmod(e.Path, 0o777))
	cmd, out := other(t, "stranger", e)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	must(t, cmd.Start())
	his := Endpoint{Path: e.Path + "-stranger"}
	eventually(t, "that he listens", func() bool {
		info, err := os.Lstat(his.Path)
		return err == nil && info.Mode().Perm() == 0o777
	})
	if _, err := his.dial(within(t)); err == nil || !strings.Contains(err.Error(), "belongs to user 65534") {
		t.Errorf("his socket: %v", err)
	}
	said, err := io.ReadAll(out)
	must(t, err)
	if want := "visit: EOF\noffer: <nil>\nvisitor: 0 EOF\n"; string(said) != want {
		t.Errorf("he says %q", said)
	}
	if c := p.Counts(); c.Refused != 1 {
		t.Errorf("%+v", c)
	}
	if info, _ := os.Lstat(e.Path); info.Mode().Type() != fs.ModeSocket {
		t.Error("the socket is gone")
	}
}
