use super::*;
use tokio::net::TcpListener;

/// Reads one answer from a peer that says `spoken`, in two pieces, and then goes.
async fn read(spoken: &'static str) -> anyhow::Result<Answer> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (first, second) = spoken.as_bytes().split_at(spoken.len() / 2);
        stream.write_all(first).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        stream.write_all(second).await.unwrap();
    });
    let answer = Connection::open(address).await?.answer_to("GET", PATIENCE).await;
    peer.await?;
    answer
}

#[tokio::test]
async fn answers_are_read_by_length_by_chunks_and_by_close() -> anyhow::Result<()> {
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellorest",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ];
    for spoken in answers {
        assert_eq!(read(spoken).await?.body, b"hello", "{spoken}");
    }
    Ok(())
}

#[tokio::test]
async fn answers_cut_short_or_ambiguous_are_errors() {
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\n",
        "what?\r\n\r\n",
    ];
    for spoken in answers {
        assert!(read(spoken).await.is_err(), "{spoken}");
    }
}

#[tokio::test]
async fn silence_is_an_error_after_the_deadline() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut connection = Connection::open(listener.local_addr()?).await?;
    assert!(connection.answer_to("GET", Duration::from_millis(20)).await.is_err());
    Ok(())
}

/// More than the buffers of two sockets take.
const UNWANTED_BYTES: usize = 16 * 1024 * 1024;

/// A peer that says `spoken` to the first bytes of a request, and resets the connection by closing
/// it with the rest unread; what `ask` makes of it.
async fn ask_one_that_resets(spoken: &'static str) -> anyhow::Result<Answer> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 16]).await.unwrap();
        stream.write_all(spoken.as_bytes()).await.unwrap();
    });
    let mut request = Request::post("/");
    request.body = vec![b'x'; UNWANTED_BYTES];
    let answer = Connection::open(address).await?.ask(&request).await;
    peer.await?;
    answer
}

#[tokio::test]
async fn answer_that_comes_before_the_body_is_sent_is_found() -> anyhow::Result<()> {
    let spoken = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(ask_one_that_resets(spoken).await?.status, 413);
    Ok(())
}

#[tokio::test]
async fn reset_without_an_answer_is_told_as_it_was() {
    let error = ask_one_that_resets("").await.unwrap_err();
    assert!(error.is::<io::Error>(), "{error:#}");
}
