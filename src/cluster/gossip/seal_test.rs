use super::*;

const SECRET: &str = "0123456789abcdef";
const NONCE: NonceBytes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
/// `syn` under `SECRET` and `NONCE`, computed with another implementation of RFC 5869 and 8439.
const GOLDEN: [u8; 32] = [
    0x01, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0xe6, 0x0c, 0x04,
    0x0c, 0xca, 0x58, 0xa5, 0x1e, 0xb8, 0x71, 0x80, 0x26, 0x17, 0xdf, 0x68, 0x77, 0x24, 0x61, 0xe1,
];

fn seal(secret: &str) -> Seal {
    Seal::new(Some(&ClusterSecrets::parse(secret).unwrap()), false).unwrap()
}

fn open(seal: &Seal, datagram: &[u8]) -> Result<Vec<u8>, SealRefusal> {
    seal.open(&mut datagram.to_vec()).map(|(_, message)| message.to_vec())
}

#[test]
fn a_sealed_datagram_has_these_bytes() {
    assert_eq!(seal(SECRET).close(NONCE, b"syn").unwrap(), GOLDEN);
    assert_eq!(open(&seal(SECRET), &GOLDEN), Ok(b"syn".to_vec()));
}

#[test]
fn a_plain_datagram_has_these_bytes() {
    assert_eq!(Seal::Plain.close(NONCE, b"syn").unwrap(), *b"\0syn");
    assert_eq!(open(&Seal::Plain, b"\0syn"), Ok(b"syn".to_vec()));
}

#[test]
fn a_datagram_with_any_bit_changed_is_refused() {
    for at in 0..GOLDEN.len() {
        for bit in 0..8 {
            let mut changed = GOLDEN;
            changed[at] ^= 1 << bit;
            let expected = match (at, changed[0]) {
                (0, FORMAT_PLAIN) => SealRefusal::NotSealed,
                (0, format) => SealRefusal::UnknownFormat(format),
                _ => SealRefusal::WrongKey,
            };
            assert_eq!(open(&seal(SECRET), &changed), Err(expected), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn a_datagram_cut_anywhere_is_refused() {
    for length in 0..GOLDEN.len() {
        let is_without_tag = length < HEADER_BYTES + TAG_BYTES;
        let expected = if is_without_tag { SealRefusal::Truncated } else { SealRefusal::WrongKey };
        assert_eq!(open(&seal(SECRET), &GOLDEN[..length]), Err(expected), "{length} bytes");
    }
    assert_eq!(open(&Seal::Plain, b""), Err(SealRefusal::Truncated));
}

#[test]
fn another_secret_opens_nothing() {
    assert_eq!(open(&seal("0123456789abcdeF"), &GOLDEN), Err(SealRefusal::WrongKey));
}

#[test]
fn a_datagram_sealed_for_another_use_of_the_key_is_refused() {
    let Seal::Keyed(sealing) = seal(SECRET) else { panic!("a secret makes a key") };
    let mut sealed = b"syn".to_vec();
    let nonce = Nonce::assume_unique_for_key(NONCE);
    let other = Aad::from(b"tekton-events-relay gossip v2");
    sealing.first.seal_in_place_append_tag(nonce, other, &mut sealed).unwrap();
    let datagram = [&[FORMAT_SEALED][..], &NONCE[..], &sealed[..]].concat();
    assert_eq!(open(&seal(SECRET), &datagram), Err(SealRefusal::WrongKey));
}

#[test]
fn nodes_with_and_without_a_key_do_not_talk() {
    assert_eq!(open(&seal(SECRET), b"\0syn"), Err(SealRefusal::NotSealed));
    assert_eq!(open(&Seal::Plain, &GOLDEN), Err(SealRefusal::NoKey));
}

#[test]
fn a_format_of_another_version_is_named() {
    for either in [seal(SECRET), Seal::Plain] {
        assert_eq!(open(&either, b"\x02syn"), Err(SealRefusal::UnknownFormat(2)));
    }
}

#[test]
fn the_longest_message_fits_a_datagram_and_a_longer_one_is_not_made() {
    let longest = vec![7; MESSAGE_BYTES_MAX];
    let datagram = seal(SECRET).close(NONCE, &longest).unwrap();
    assert_eq!(datagram.len(), DATAGRAM_BYTES_MAX);
    assert_eq!(open(&seal(SECRET), &datagram), Ok(longest));
    let longer = vec![7; MESSAGE_BYTES_MAX + 1];
    for either in [seal(SECRET), Seal::Plain] {
        let refused = either.close(NONCE, &longer);
        assert_eq!(refused, Err(SealError::TooLong(MESSAGE_BYTES_MAX + 1)));
    }
}

#[test]
fn no_secret_means_no_seal() {
    assert!(matches!(Seal::new(None, false), Ok(Seal::Plain)));
    assert!(matches!(Seal::new(None, true), Ok(Seal::Plain)));
}

#[test]
fn while_secrets_are_changed_the_first_closes_and_both_open() {
    const NEXT: &str = "fedcba9876543210";
    let old_too = seal(&format!("{NEXT}\n{SECRET}"));
    let new_too = seal(&format!("{SECRET}\n{NEXT}"));
    let message = || Ok(b"syn".to_vec());
    assert_eq!(new_too.close(NONCE, b"syn").unwrap(), GOLDEN);
    assert_eq!(open(&old_too, &GOLDEN), message());
    let next = old_too.close(NONCE, b"syn").unwrap();
    assert_eq!((open(&new_too, &next), open(&seal(NEXT), &next)), (message(), message()));
    assert_eq!(open(&seal(SECRET), &next), Err(SealRefusal::WrongKey));
    assert_eq!(
        open(&new_too, &seal("another secret..").close(NONCE, b"syn").unwrap()),
        Err(SealRefusal::WrongKey)
    );
}

#[test]
fn a_seal_that_takes_both_forms_tells_them_apart() {
    let both = Seal::new(Some(&ClusterSecrets::parse(SECRET).unwrap()), true).unwrap();
    assert_eq!(both.open(&mut b"\0syn".to_vec()), Ok((Form::Plain, &b"syn"[..])));
    assert_eq!(both.open(&mut GOLDEN.to_vec()), Ok((Form::Sealed, &b"syn"[..])));
}

#[test]
fn a_seal_never_shows_its_key() {
    assert_eq!(format!("{:?} {:?}", seal(SECRET), Seal::Plain), "Keyed(...) Plain");
}
