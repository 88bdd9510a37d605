//! What only ffmpeg reads, with and without it.

use lstm_ssd::video::{Video, VideoFault};

use super::message;

#[test]
fn without_ffmpeg_an_unknown_file_says_what_would_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.avi");
    std::fs::write(&path, "RIFF and more").unwrap();
    let error = Video::open_with(&path, "no-such-ffmpeg").err().unwrap();
    let error = message(error);
    let expected = "clip.avi: found neither H.264 in mp4, nor y4m, nor GIF, nor a folder, which \
                    only ffmpeg reads, and no `no-such-ffmpeg` was found on the PATH";
    assert!(error.ends_with(expected), "{error}");
}

#[test]
fn missing_and_empty_files_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = Video::open(folder.path().join("none.mp4")).err().unwrap();
    assert!(matches!(error.fault, VideoFault::Io(_)), "{error:?}");
    let path = folder.path().join("empty.mp4");
    std::fs::write(&path, "").unwrap();
    let error = message(Video::open(&path).err().unwrap());
    assert!(
        error.ends_with("empty.mp4: expected at least one frame, found none"),
        "{error}"
    );
}

/// A program in ffmpeg's place, which is what the pipe and the end of the process are tested with.
#[cfg(unix)]
mod program {
    use lstm_ssd::video::VideoError;

    use super::*;

    fn open(program: &str) -> Result<Video, VideoError> {
        let folder = tempfile::tempdir().unwrap();
        let video = folder.path().join("clip.avi");
        std::fs::write(&video, "RIFF and more").unwrap();
        // Committed, since a file that was written a moment ago may still be open in a process that
        // another test starts, and cannot be run then.
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
        Video::open_with(&video, &format!("{fixtures}/ffmpeg-{program}.sh"))
    }

    #[test]
    fn its_pictures_come_through_a_pipe() {
        let pictures: Result<Vec<_>, _> = open("pictures").unwrap().collect();
        assert_eq!(pictures.unwrap().len(), 2);
    }

    #[test]
    fn what_it_says_when_it_fails_is_passed_on() {
        let error = message(open("refuses").err().unwrap());
        assert!(
            error.ends_with("ffmpeg cannot read it: Invalid data"),
            "{error}"
        );

        let mut video = open("fails").unwrap();
        assert!(video.next().unwrap().is_ok());
        let error = video.next().unwrap().unwrap_err();
        assert_eq!(error.frame, Some(2));
        let error = message(error);
        assert!(error.ends_with("Lost it"), "{error}");
        assert!(video.next().is_none());
    }

    #[test]
    fn it_is_ended_with_the_video() {
        let begin = std::time::Instant::now();
        drop(open("hangs").unwrap());
        assert!(begin.elapsed().as_secs() < 60);
    }
}
