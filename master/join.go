package main

import (
	"context"
	"fmt"
	"net"
	"strings"

	"cloudai/master/client"
	"cloudai/master/internal/config"
	"cloudai/master/internal/system"
	"cloudai/proto/transport"
)

// joinOf is what a worker on another machine needs, and what may be wrong with
// it.
func joinOf(ctx context.Context, cfg config.Config, door net.Listener, token transport.JoinToken) client.Join {
	join := client.Join{Token: token.Encode(), MasterAddr: advertised(cfg, door)}
	host, port, _ := net.SplitHostPort(join.MasterAddr) // a listener's own
	ip := net.ParseIP(host)
	switch {
	case cfg.Advertise != "":
	case ip != nil && ip.IsLoopback():
		join.Note = "GRPC_ADDR is on loopback: only workers on this machine can call it"
	case ip == nil || !ip.IsUnspecified():
	default:
		known := system.Addresses(ctx)
		if len(known) == 0 {
			join.MasterAddr = net.JoinHostPort("127.0.0.1", port)
			join.Note = "this machine has no network address but its own loopback"
			break
		}
		join.MasterAddr = net.JoinHostPort(known[0], port)
		if len(known) > 1 {
			join.Note = fmt.Sprintf("this machine has several addresses (%s): set ADVERTISE_ADDR when workers must use another than the first",
				strings.Join(known, ", "))
		}
	}
	return join
}
