// Command convene is the scheduling server and its administration.
package main

func main() {}
