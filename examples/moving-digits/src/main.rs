//! Bench.
use moving_digits::{digits::*, training::*, recurrent::*, schedule::*, evaluation::*, score::*, hold::*};
use burn_autodiff::Autodiff; use burn_flex::Flex; use bottleneck_lstm_ndarray::CpuRunner;
fn main(){
 let a:Vec<String>=std::env::args().collect(); let layer=Layer::ALL[a[1].parse::<usize>().unwrap()]; let steps:usize=a[2].parse().unwrap(); let lr:f64=a[3].parse().unwrap();
 let digits=Digits::embedded().unwrap();
 let mut t=Trainer::<Autodiff<Flex>,_>::new(TrainingConfig{layer,seed:0,schedule:Schedule{peak:lr,warm_up:100,decay:steps},duration:Duration::Steps(steps),batch:8,chunk:10,chunks:2,evaluate_every:300},&digits,CpuRunner::new().with_threads(1),Default::default());
 let v=held_out(&digits,Split::Validation,48); let q=std::time::Instant::now(); let mut l=0.;
 while !t.is_done(){ l+=t.step().unwrap(); let s=t.progress().step; if s%50==0{println!("{s} {:.4} {:?}",l/50.,q.elapsed());l=0.;} if t.is_evaluation_due(){println!("{:?} {:?}",t.evaluate(&v),q.elapsed());} }
 let te=held_out(&digits,Split::Test,100);
 let v=held_out(&digits,Split::Validation,100);
 let bv=believe(&t.network(),&CpuRunner::new(),&v,&Default::default()); let bt=believe(&t.network(),&CpuRunner::new(),&te,&Default::default());
 let (th,_)=choose_threshold(&bv,&v); let s=Score::of(&detect(&bt,th),&te); println!("{} test th {th} clean {:.3} damaged {:.3}",layer.name(),s.clean.f1(),s.damaged.f1());
 if layer==Layer::NoMemory{ let (h,_)=Hold::choose(&bv,&v); let s=Score::of(&h.apply(&bt),&te); println!("{h:?} {:.3} {:.3}",s.clean.f1(),s.damaged.f1()); }
}
