// One program that is etcd, kube-apiserver, kube-controller-manager or kube-scheduler, as its first argument says: they
// share most of their code, so one build and one file are far smaller than four.
package main

import (
	"fmt"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	kcm "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	sched "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func etcd(dir, client, peer string) {
	cfg := embed.NewConfig()
	cfg.Dir = dir
	cu, _ := url.Parse(client)
	pu, _ := url.Parse(peer)
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*cu}, []url.URL{*cu}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*pu}, []url.URL{*pu}
	cfg.InitialCluster = "default=" + peer
	cfg.UnsafeNoFsync = true // a test's cluster need not outlive its machine
	cfg.LogLevel = "error"
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {
	case <-e.Server.ReadyNotify():
		fmt.Println("etcd ready")
	case <-time.After(60 * time.Second):
		os.Exit(2)
	}
	<-e.Err()
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: kubeone etcd DIR CLIENT_URL PEER_URL | apiserver|kcm|scheduler ARGS")
		os.Exit(64)
	}
	sub := os.Args[1]
	os.Args = append([]string{"kube-" + sub}, os.Args[2:]...)
	switch sub {
	case "etcd":
		etcd(os.Args[1], os.Args[2], os.Args[3])
	case "apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "kcm":
		os.Exit(cli.Run(kcm.NewControllerManagerCommand()))
	case "scheduler":
		os.Exit(cli.Run(sched.NewSchedulerCommand()))
	}
}
