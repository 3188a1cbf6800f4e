//! Reading and writing of what wraps a TLS stream, written once.

/// Implements tokio's traits for `$name<S>` by its field `stream`.
macro_rules! reads_and_writes {
    ($name:ident) => {
        const _: () = {
            use std::{
                io,
                pin::Pin,
                task::{Context, Poll},
            };
            use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

            impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for $name<S> {
                fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                    Pin::new(&mut self.stream).poll_read(cx, buf)
                }
            }

            impl<S: AsyncRead + AsyncWrite + Unpin> AsyncBufRead for $name<S> {
                fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
                    Pin::new(&mut self.get_mut().stream).poll_fill_buf(cx)
                }

                fn consume(mut self: Pin<&mut Self>, amount: usize) {
                    Pin::new(&mut self.stream).consume(amount);
                }
            }

            impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for $name<S> {
                fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                    Pin::new(&mut self.stream).poll_write(cx, buf)
                }

                fn poll_write_vectored(
                    mut self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    bufs: &[io::IoSlice<'_>],
                ) -> Poll<io::Result<usize>> {
                    Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
                }

                fn is_write_vectored(&self) -> bool {
                    self.stream.is_write_vectored()
                }

                fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                    Pin::new(&mut self.stream).poll_flush(cx)
                }

                fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                    Pin::new(&mut self.stream).poll_shutdown(cx)
                }
            }
        };
    };
}
pub(crate) use reads_and_writes;
