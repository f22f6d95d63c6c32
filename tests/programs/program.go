// What a Go program does with a network: package net has its own calls, poller and resolver.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func echo(listener net.Listener) {
	for {
		c, err := listener.Accept()
		must(err)
		go func() {
			io.Copy(c, c)
			c.Close()
		}()
	}
}

func answer(socket net.PacketConn) {
	data := make([]byte, 1500)
	for {
		n, from, err := socket.ReadFrom(data)
		must(err)
		socket.WriteTo(data[:n], from)
	}
}

func serve() {
	listener, err := net.Listen("tcp", ":7")
	must(err)
	go echo(listener)
	socket, err := net.ListenPacket("udp", ":7")
	must(err)
	go answer(socket)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat(r.URL.Path, 1000))
	})
	must(http.ListenAndServe(":80", nil))
}

func fetch(host string, keep bool) int {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: !keep}}
	good := 0
	for i := 0; i < 50; i++ {
		r, err := client.Get(fmt.Sprintf("http://%s/%d", host, i))
		must(err)
		body, err := io.ReadAll(r.Body)
		must(err)
		r.Body.Close()
		if string(body) == strings.Repeat(fmt.Sprintf("/%d", i), 1000) {
			good++
		}
	}
	return good
}

func many(host string, count int) {
	var group sync.WaitGroup
	for i := 0; i < count; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			c, err := net.Dial("tcp", host+":7")
			must(err)
			text := strings.Repeat(fmt.Sprint("word", i), 5000)
			go func() {
				io.WriteString(c, text)
				c.(*net.TCPConn).CloseWrite()
			}()
			got, err := io.ReadAll(c)
			must(err)
			if string(got) != text {
				must(errors.New("differs"))
			}
			must(c.Close())
		}(i)
	}
	group.Wait()
}

func datagram(host string) string {
	c, err := net.Dial("udp", host+":7")
	must(err)
	must(c.SetDeadline(time.Now().Add(20 * time.Second)))
	_, err = c.Write([]byte("datagram"))
	must(err)
	data := make([]byte, 100)
	n, err := c.Read(data)
	must(err)
	return string(data[:n])
}

func failures(host string) {
	_, err := net.Dial("tcp", host+":81")
	if errors.Is(err, syscall.ECONNREFUSED) {
		fmt.Println("connection refused")
	}
	c, err := net.Dial("tcp", host+":7")
	must(err)
	must(c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)))
	_, err = c.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		fmt.Println("timed out")
	}
	resolver := net.Resolver{PreferGo: true}
	_, err = resolver.LookupHost(context.Background(), "none.example")
	var failure *net.DNSError
	if errors.As(err, &failure) && failure.IsNotFound {
		fmt.Println("no such host")
	}
}

func main() {
	if os.Args[1] == "serve" {
		serve()
	}
	host := os.Args[2]
	fmt.Println(fetch(host, true), "with keep-alive")
	fmt.Println(fetch(host, false), "without")
	many(host, 200)
	fmt.Println("200 connections")
	fmt.Println(datagram(host))
	failures(host)
	interfaces, err := net.Interfaces()
	must(err)
	fmt.Println(interfaces[0].Name, interfaces[1].Name)
}
