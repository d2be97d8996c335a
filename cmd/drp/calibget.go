package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"drp/calib"
	"drp/calib/store"
)

func newCalibGetCommand(place *storeFlag) *cobra.Command {
	return writingVerb(place, "--run and -o are needed: the run, and", "run", &cobra.Command{
		Use:     "get DETECTOR --run N -o FOLDER",
		Short:   "Write the constants that are valid for a run as NPY files",
		Example: "  drp calib get jungfrau --run 12 --serials M049 -o constants",
	})
}

func newCalibExportCommand(place *storeFlag) *cobra.Command {
	return writingVerb(place, "-o is needed:", "output", &cobra.Command{
		Use:     "export ID -o FOLDER|FILE.npz",
		Short:   "Write a set for another store, which put reads",
		Example: "  drp calib export 3f9a -o jungfrau.npz",
	})
}

// writingVerb is one that writes a set to -o, which is needed, and so is the flag needed.
func writingVerb(place *storeFlag, missing, needed string, cmd *cobra.Command) *cobra.Command {
	var q queryFlags
	var out string
	cmd.Args = needs(1, 1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed(needed) || out == "" {
			return errors.New(missing + " the folder to write to, or a file that ends in .npz or .zip")
		}
		s, err := q.chosen(cmd, place, args[0])
		if err != nil {
			return err
		}
		return writeExport(out, s)
	}
	q.add(cmd)
	cmd.Flags().StringVarP(&out, "output", "o", "", "`folder` to write to, or a file that ends in .npz or .zip")
	return cmd
}

func writeExport(out string, s *calib.Set) error {
	write := store.WriteFolder
	if strings.HasSuffix(out, ".npz") || strings.HasSuffix(out, ".zip") {
		write = store.WriteZip
	}
	if err := write(out, s); err != nil {
		return configuration(err)
	}
	printf("wrote %s: %s %s, %s\n", out, s.Detector, calib.Serial(s.Serials), store.Runs(s))
	return nil
}

const calibServeLong = `serve lets other processes use the store over HTTP: they name it as --store http://NODE:PORT. Everybody who reaches the
address can read. Putting needs the token in the file of --token-file, of at least 16 characters, which clients give in
$DRP_CALIB_TOKEN; without it the store is for reading only. There is no encryption: on a network that others use, put a
proxy or a tunnel before it.`

func newCalibServeCommand(place *storeFlag) *cobra.Command {
	var listen, tokenFile string
	cmd := &cobra.Command{
		Use:     "serve",
		Short:   "Let other machines use the store, over HTTP",
		Long:    calibServeLong,
		Example: "  drp calib serve --store calib --listen daq:8765 --token-file token",
		Args:    needs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := readToken("--token-file", tokenFile)
			if err != nil {
				return configuration(err)
			}
			st, err := place.open(token != "")
			if err != nil {
				return err
			}
			defer func() { _ = st.Close() }()
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return configuration(fmt.Errorf("serve the store: %w", err))
			}
			if token == "" {
				printf("serving %s at http://%s, for reading only\n", st, l.Addr())
			} else {
				printf("serving %s at http://%s\n", st, l.Addr())
			}
			return general(serve(ctx, l, store.NewServer(store.Handler(st, token))))
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8765", "`address` and port")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "`file` with the token that putting needs")
	return cmd
}

// serve serves until it is told to end, and then finishes what is under way.
func serve(ctx context.Context, l net.Listener, server *http.Server) error {
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	const grace = 10 * time.Second
	ending, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := server.Shutdown(ending)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	return errors.Join(err, closed(<-served))
}

// closed is no error when that was the plan.
func closed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// readToken reads the token from the file of a flag; others must not be able to.
func readToken(flag, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s %s: there is no such file: openssl rand -hex 16 > %s makes one", flag, path, path)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s %s: others can read it: chmod 600 %s", flag, path, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < 16 {
		return "", fmt.Errorf("%s %s: the token has %d characters, and 16 are needed", flag, path, len(token))
	}
	return token, nil
}
