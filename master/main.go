// Command master keeps tasks and gives them to workers.
//
//	master [serve] [flags]    serve; on a terminal also the prompt
//	master cli [command]      the prompt, or one command, against a running master
//	master openapi            print the API's description
//	master backup FILE        write a backup, also while a master runs
//	master restore FILE       put one into an empty data folder
//	master fsck               look through the data folder for damage
//	master migrate            move the state to another store
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"cloudai/master/internal/cli"
	"cloudai/master/internal/config"
	"cloudai/master/internal/http"
)

// version is set by the linker.
var version = "dev"

// ballast is never touched, so it takes no memory; it counts as part of the
// heap, so that the collector waits for that much garbage even when little is
// alive.
const ballast = 16 << 20

func main() {
	heap := make([]byte, ballast)
	ends := []os.Signal{syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		ends = append(ends, syscall.SIGHUP) // the terminal is gone
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	runtime.KeepAlive(heap)
	stop()
	os.Exit(code)
}

// run is the program; the number is its exit code. SIGTERM and the loss of the
// terminal end ctx; Ctrl-C is the business of what runs: it ends a master
// without a prompt, and leaves a command of the prompt.
func run(ctx context.Context, args []string, getenv func(string) string, stdin *os.File, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		switch args[0] {
		case "cli":
			return cli.Run(ctx, args[1:], cli.Config{
				Version: version, Getenv: config.Getenv(getenv, ".env", "master/.env"), Stdin: stdin, Stdout: stdout, Stderr: stderr,
			})
		case cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd: // a shell's script, see cli completion
			return cli.Complete(args[1:], cli.Config{
				Version: version, Getenv: config.Getenv(getenv, ".env", "master/.env"), Stdin: stdin, Stdout: stdout, Stderr: stderr,
			})
		case "openapi":
			return openAPI(stdout, stderr)
		case "backup", "restore", "fsck", "migrate":
			return runUpkeep(ctx, args[0], args[1:], getenv, stdout, stderr)
		case "serve":
			args = args[1:]
		}
	}
	cfg, err := config.Load(args, getenv, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, config.ErrVersion):
		fmt.Fprintln(stdout, version)
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "master:", err)
		return 2
	}
	if err := serve(ctx, cfg, getenv, stdin, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "master:", err)
		return 1
	}
	return 0
}

func openAPI(stdout, stderr io.Writer) int {
	doc, err := http.OpenAPI()
	if err == nil {
		_, err = stdout.Write(doc)
	}
	if err != nil {
		fmt.Fprintln(stderr, "master:", err)
		return 1
	}
	return 0
}
