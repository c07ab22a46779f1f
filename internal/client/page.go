package client

import (
	"errors"
	"iter"
)

// pages yields the elements of a list, page by page from the token start on, as
// fetch returns them. An error is the last thing it yields.
func pages[T any](start string, fetch func(token string) (page []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for token := start; ; {
			page, next, err := fetch(token)
			if err != nil {
				yield(none, err)
				return
			}
			for _, element := range page {
				if !yield(element, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			if next == token {
				yield(none, errors.New("client: the list does not go on: the server repeats a page's token"))
				return
			}
			token = next
		}
	}
}
